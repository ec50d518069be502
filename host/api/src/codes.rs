//! Every code that a problem document can carry, with the help that its page shows.
//!
//! A code is used through its constant here, so an unregistered one cannot be written.

/// One code: stable once released.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// Kebab-case; the last part of the problem's `type`.
    pub name: &'static str,
    /// HTTP status of a document that carries it; for a code of one field, that of the document around it.
    pub status: u16,
    /// The same for every occurrence.
    pub title: &'static str,
    /// What happened.
    pub what: &'static str,
    /// What to change.
    pub change: &'static str,
}

macro_rules! codes {
    ($($constant:ident $name:literal $status:literal $title:literal $what:literal $change:literal;)*) => {
        $(#[doc = $title] pub static $constant: Code =
            Code { name: $name, status: $status, title: $title, what: $what, change: $change };)*
        /// Every code, in the order of their pages.
        pub static ALL: &[&Code] = &[$(&$constant),*];
    };
}

codes! {
    // Who asks.
    UNAUTHENTICATED "unauthenticated" 401 "No valid API key"
        "The request carries no API key, or one that is unknown, expired or revoked."
        "Send `Authorization: Bearer <key>` with a key that is in force. A key's secret is shown once, when it is made.";
    MISSING_SCOPE "missing-scope" 403 "The key lacks a scope"
        "The key is valid and does not have the scope that this operation needs; `detail` names it."
        "Use a key with that scope, or make one with `POST /v1/keys`.";
    ENVIRONMENT_REQUIRED "environment-required" 400 "An environment is needed"
        "The administrator's key belongs to no environment, and this operation happens in one."
        "Add `?environment=live` (or another environment's name), or use a key of that environment.";

    // What is asked for.
    NOT_FOUND "not-found" 404 "Not found"
        "Nothing with this id exists here, or it belongs to somebody else: the answer is the same."
        "Check the path, and that the key belongs to the environment that holds it.";
    UNKNOWN_TENANT "unknown-tenant" 404 "Unknown tenant"
        "The environment of this key has no tenant with this id."
        "Create it with `PUT /v1/tenants/{tenant}`, or let the environment create tenants (`create_tenants`).";
    METHOD_NOT_ALLOWED "method-not-allowed" 405 "Method not allowed"
        "The path exists, the method does not."
        "The `Allow` header lists the methods that do; `/docs` describes them.";
    INVALID_QUERY "invalid-query" 400 "The query string is not valid"
        "A query parameter is unknown, given twice, or has a value that is not allowed; `errors` names it."
        "Correct the parameter; unknown ones are refused so that a misspelt filter does not silently match everything.";
    BAD_CURSOR "bad-cursor" 400 "The cursor is not valid here"
        "A cursor is good for the list and the filters that it came from, on this installation."
        "Begin again without `cursor`, or pass `next` back unchanged together with the same filters.";
    INVALID_HEADER "invalid-header" 400 "A request header is not valid"
        "A header that this operation reads cannot be understood; `detail` names it."
        "Correct the header, or leave it out.";

    // The body.
    INVALID_JSON "invalid-json" 400 "The body is not JSON"
        "The body cannot be parsed as JSON in UTF-8; `detail` says where."
        "Send one JSON value, complete, without a byte order mark or trailing text.";
    TOO_DEEP "too-deep" 400 "The JSON is nested too deeply"
        "Arrays and objects stand in each other more than 100 levels deep."
        "Flatten the value, or send it as a string or in `data_base64`.";
    UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" 415 "Unsupported content type"
        "The operation does not take a body of this `Content-Type`."
        "Send `application/json` (`application/merge-patch+json` for PATCH). Publishing takes CloudEvents types as well.";
    TOO_LARGE "too-large" 413 "The request is too large"
        "The body, or one event's payload, is larger than allowed; `detail` gives the limit."
        "Send fewer events a request; put large documents elsewhere and publish a reference to them.";
    TOO_MANY_EVENTS "too-many-events" 413 "Too many events in one request"
        "One request carries at most 1,000 events. None of these was accepted."
        "Split the array.";
    BODY_TIMEOUT "body-timeout" 408 "The body did not arrive in time"
        "The connection was open and the body did not come in whole within 10 seconds. Nothing of it was done."
        "Send the request again; over a slow line in smaller requests.";
    INVALID_INPUT "invalid-input" 422 "The input is not valid"
        "The body is JSON, and some of its fields are not as they must be. Nothing was changed."
        "`errors` names each field with a JSON Pointer and says what is allowed.";
    INVALID_EVENT "invalid-event" 422 "The event is not valid"
        "The event was refused whole; other events of the same array were judged on their own."
        "`errors` names each field with a JSON Pointer and says what is allowed.";

    // One field.
    UNKNOWN_FIELD "unknown-field" 422 "Unknown field"
        "The field does not exist. Unknown fields are refused so that a misspelt one is not silently ignored."
        "Remove or rename it; `detail` lists the fields there are.";
    REQUIRED "required" 422 "A field is missing"
        "The field must be given."
        "Add it where `pointer` says; the schema of the operation in `/docs` and `/openapi.json` lists what it takes.";
    WRONG_TYPE "wrong-type" 422 "Wrong type"
        "The field's JSON type is not the one expected, such as a number in quotes."
        "`detail` names what was expected; change the value at `pointer`.";
    INVALID_VALUE "invalid-value" 422 "Value not allowed"
        "The field's value is outside of what is allowed."
        "`detail` gives the bounds or the form; change the value at `pointer`.";
    INVALID_PATTERN "invalid-pattern" 422 "The pattern is not valid"
        "An event type pattern or the filter cannot be read."
        "Event types are names, `prefix.*` or `*`. The filter is an event pattern; `detail` says what is wrong with it.";
    UNKNOWN_CONNECTOR "unknown-connector" 422 "Unknown connector"
        "This host has no connector of this name, or the environment does not enable it."
        "`GET /v1/connectors` lists those there are.";
    UNKNOWN_CREDENTIAL "unknown-credential" 422 "Unknown credential field"
        "The connector has no credential field of this name."
        "`GET /v1/connectors/{name}` lists its credential fields.";
    CREDENTIALS_TOO_LARGE "credentials-too-large" 422 "Too many bytes of credentials"
        "All that a destination's requests carry is masked in every answer; together that is 17,408 bytes at most."
        "Use shorter values, or fewer headers. Documents of clouds, private keys and TLS identities do not count.";
    UNKNOWN_DESTINATION "unknown-destination" 422 "Unknown destination"
        "The tenant has no destination with this id."
        "Check the id; `GET /v1/tenants/{tenant}/destinations` lists them.";
    UNKNOWN_EVENT_TYPE "unknown-event-type" 422 "Unknown event type"
        "The catalogue has no such event type, or the type has no example to send."
        "Add it with `PUT /v1/event-types/{type}` and an example, or send a whole `event`.";
    ADDRESS_NOT_ALLOWED "address-not-allowed" 422 "Address not allowed"
        "The URL points to a network that this host does not send to: private, loopback, link-local or reserved addresses, \
         or plain http outside of the networks that the operator allows."
        "Use a public https URL. The operator of the host can allow networks with RAILHEAD_EGRESS_ALLOW.";
    LOCKED_FIELD "locked-field" 422 "The field is locked"
        "The environment fixes this configuration field for every destination of the connector."
        "Leave the field out. The administrator unlocks it in the environment's `connectors`.";
    NOT_AVAILABLE "not-available" 422 "Not available"
        "This version of the host does not have the feature that the field asks for. It is refused rather than ignored."
        "Leave the field out, or upgrade the host.";
    SCOPE_NOT_HELD "scope-not-held" 422 "A key cannot give what it does not have"
        "A key may make keys with its own scopes only."
        "Ask for fewer scopes, or use a key that has them.";

    // Conflicts.
    DESTINATION_NOT_ACTIVE "destination-not-active" 409 "The destination is not active"
        "The destination is paused or disabled, so nothing can be sent to it now."
        "Resume or enable it, then test it again.";
    EVENT_ID_CONFLICT "event-id-conflict" 409 "The event id was used for another event"
        "An event with the same tenant, source and id came within the window, with other content. This one was not accepted."
        "Give each event its own id, or send a retry with the very same content.";
    CONFLICT "conflict" 409 "Changed by somebody else"
        "The object changed while this request was carried out. Nothing was done."
        "Read it again and repeat the request.";
    PRECONDITION_FAILED "precondition-failed" 412 "If-Match does not match"
        "The object is not at the revision that the request names. Nothing was done."
        "Read it again, apply the change to what is there, and send its current ETag.";
    LIMIT_REACHED "limit-reached" 409 "A limit is reached"
        "The tenant has as many of these as its limits allow; `detail` gives the number."
        "Delete some, or raise the limit of the tenant or its environment.";
    TOO_MANY_WAITING "too-many-waiting" 409 "Too many deliveries wait for a change of the order"
        "A destination begins to keep an order only while at most 10,000 deliveries wait at it. Nothing was changed."
        "Let them be delivered first, or cancel them, then change `ordering`; or make a new destination with the order.";
    NOT_WAITING "not-waiting" 409 "The delivery has ended"
        "Only a delivery that waits can be cancelled."
        "Nothing to do: its end is final.";
    NOT_RUNNING "not-running" 409 "The replay has ended"
        "Only a replay that runs can be cancelled."
        "Nothing to do: what it made goes on.";
    TOO_MANY_REPLAYS "too-many-replays" 409 "Too many replays run"
        "The tenant has as many running replays as it may have; `detail` gives the number. This one was not started."
        "Wait until one completes, or cancel one; one replay with a wider filter does the work of many.";
    NOT_SHARED "not-shared" 409 "The credential cannot be revealed"
        "Only fields that both sides must hold, such as a signing secret, can be read back."
        "Set a new value if the old one is lost.";
    REQUIRED_CREDENTIAL "required-credential" 409 "The connector needs this credential"
        "The destination cannot work without it, so it cannot be deleted."
        "Replace it with `PUT`, or delete the destination.";
    PAYLOAD_GONE "payload-gone" 410 "The payload is gone"
        "The event's payload was erased. Its record remains."
        "Publish the event again if it has to be delivered.";
    IDEMPOTENCY_KEY_REUSED "idempotency-key-reused" 422 "The Idempotency-Key was used for another request"
        "The key was used within 24 hours with another body."
        "Use a new key for a new request, and the same key only to repeat the very same one.";
    IDEMPOTENCY_IN_PROGRESS "idempotency-in-progress" 409 "The first request is still running"
        "A request with the same Idempotency-Key has not been answered yet."
        "Repeat it in a moment: the stored answer comes back.";

    // This host.
    OVER_SHARE "over-share" 429 "The tenant publishes more than its share"
        "More than half of what may wait for the database waits, and this tenant has more of it than its share. Nothing \
         of it was accepted; other tenants' events are."
        "Wait as long as `Retry-After` says, then send the same again, with fewer requests at once.";
    OVERLOADED "overloaded" 503 "The host is busy"
        "More events wait to be stored than the host can take in time. Nothing of the refused part was accepted."
        "Wait as long as `Retry-After` says, then send the same again.";
    UNAVAILABLE "unavailable" 503 "The database is not available"
        "The host cannot store anything at this moment. What was acknowledged before is safe; this request was not done, \
         or its outcome is not known: repeating it is harmless where it carries an id or an Idempotency-Key."
        "Wait as long as `Retry-After` says, then send the same again.";
    INTERNAL "internal" 500 "Something went wrong in the host"
        "A defect, or damaged data. The host's log has the details under this `request_id`."
        "Tell the operator the `request_id`.";
}

impl Code {
    /// Whether a program should send the same request again: the question of whoever writes one.
    #[must_use]
    pub fn repeating(&self) -> &'static str {
        match (self.status, self.name) {
            (503 | 429 | 408, _) | (_, "idempotency-in-progress") => {
                "The same request may succeed later: repeat it, with growing pauses."
            }
            (_, "conflict" | "precondition-failed") => {
                "The same request fails again until you have read the object anew."
            }
            (500, _) => {
                "The same request may succeed later. Repeating is harmless where it carries an event id or an \
                 Idempotency-Key, and for GET, PUT and DELETE."
            }
            (401, _) => "The same request fails again with this key.",
            (404 | 409, _) => "The same request fails again until something else has changed.",
            _ => "The same request fails again: do not repeat it unchanged.",
        }
    }
}

/// The code of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Code> {
    ALL.iter().copied().find(|code| code.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Documents are written through the constants, so that none is unregistered; this finds those that nothing uses.
    #[test]
    fn every_registered_code_is_used() {
        let mut sources = String::new();
        let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
                if entry.is_dir() {
                    folders.push(entry);
                } else if !entry.ends_with("codes.rs") {
                    sources.push_str(&std::fs::read_to_string(entry).expect("a source"));
                }
            }
        }
        for code in ALL {
            let constant = format!("codes::{}", code.name.replace('-', "_").to_uppercase());
            assert!(sources.contains(&constant), "{constant}");
        }
    }

    #[test]
    fn names_are_unique_kebab_case_and_every_code_says_what_happened_and_what_to_change() {
        let mut names = BTreeSet::new();
        for code in ALL {
            assert!(names.insert(code.name), "{} twice", code.name);
            assert!(code.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", code.name);
            assert!((400..600).contains(&code.status), "{}", code.name);
            assert!(code.what.ends_with('.') && code.change.ends_with('.'), "{}", code.name);
            assert_eq!(find(code.name), Some(*code));
        }
    }

    /// The last table of `host/README.md`.
    #[test]
    fn the_operators_table_has_every_code() {
        let table = include_str!("../../README.md").split("| code | status | title |").nth(1).expect("the table");
        let rows: Vec<_> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
        let expected: Vec<_> =
            ALL.iter().map(|code| format!("| `{}` | {} | {} |", code.name, code.status, code.title)).collect();
        assert_eq!(rows, expected);
    }
}
