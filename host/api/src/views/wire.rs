//! Attempts and what went over the wire.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use railhead_model::{
    Attempt, AttemptKey, BodyPart, EventUid, Exchange, ExchangeRequest, ExchangeResponse, Fields, Header, Transcript,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Payloads that may be shown, by event; what is missing shows as omitted.
#[derive(Debug, Default)]
pub struct Wire {
    /// The delivery's own event.
    pub own: Option<Vec<u8>>,
    /// Other events of the same request.
    pub others: BTreeMap<EventUid, Vec<u8>>,
}

/// Payloads as one attempt sent them.
#[derive(Clone, Copy)]
struct Sent<'a> {
    wire: &'a Wire,
    fields: Option<&'a Fields>,
}

impl Sent<'_> {
    /// What went out of a payload: the selection of that time applied again; `None` if it cannot be.
    fn data(&self, payload: Option<&Vec<u8>>) -> Option<Vec<u8>> {
        match self.fields {
            None => payload.cloned(),
            Some(fields) => railhead_routing::select(fields, payload?).ok().map(Vec::from),
        }
    }
}

/// An attempt without its transcript.
#[must_use]
pub fn attempt_summary(key: AttemptKey, attempt: &Attempt) -> Value {
    json!({
        "id": key,
        "delivery": key.delivery,
        "n": attempt.n,
        "started_at": attempt.started_at,
        "duration_ms": attempt.duration_ms,
        "outcome": attempt.outcome,
        "code": attempt.reason.code,
        "message": attempt.reason.message,
        "status": attempt.reason.status,
        "connector_version": attempt.connector_version,
        "config_revision": attempt.config_revision,
    })
}

/// An attempt with its exchanges. The last one stands on top: it is the one that carried the event.
#[must_use]
pub fn attempt(key: AttemptKey, attempt: &Attempt, transcript: Option<&Transcript>, wire: &Wire) -> Value {
    let mut view = attempt_summary(key, attempt);
    let Some(members) = view.as_object_mut() else { return view };
    let exchanges = transcript.map_or(&[][..], |transcript| &transcript.exchanges);
    let sent = Sent { wire, fields: transcript.and_then(|transcript| transcript.fields.as_ref()) };
    let (last, earlier) = match exchanges.split_last() {
        Some((last, earlier)) => (exchange(last, sent), earlier),
        None => (json!({"request": null, "response": null, "failure": null, "timings": null}), exchanges),
    };
    if let Value::Object(last) = last {
        members.extend(last);
    }
    members.insert("earlier_exchanges".into(), earlier.iter().map(|one| exchange(one, sent)).collect());
    view
}

fn exchange(one: &Exchange, sent: Sent<'_>) -> Value {
    json!({
        "request": request(&one.request, sent),
        "response": one.response.as_ref().map(|response| self::response(response, sent)),
        "failure": one.failure,
        "timings": one.timings,
    })
}

fn request(request: &ExchangeRequest, sent: Sent<'_>) -> Value {
    let (body, encoding, complete) = body(&request.body, sent);
    json!({
        "method": request.method,
        "url": request.url,
        "headers": headers(&request.headers),
        "body": body,
        "body_encoding": encoding,
        "body_complete": complete,
        "body_bytes": request.body_bytes,
    })
}

fn response(response: &ExchangeResponse, sent: Sent<'_>) -> Value {
    let (body, encoding, complete) = body(&response.body, sent);
    json!({
        "status": response.status,
        "headers": headers(&response.headers),
        "body": body,
        "body_encoding": encoding,
        "body_complete": complete && !response.cut,
        "body_bytes": response.body_bytes,
    })
}

fn headers(headers: &[Header]) -> Vec<Value> {
    headers.iter().map(|Header(name, value)| json!({"name": name, "value": value})).collect()
}

/// The captured body in one piece: text where all of it is text, else base64. Parts that are not kept, or not for the
/// caller's eyes, are left out and named by their size where it is known.
fn body(parts: &[BodyPart], sent: Sent<'_>) -> (String, &'static str, bool) {
    let mut bytes = Vec::new();
    let mut complete = true;
    let mut in_base64 = false;
    for part in parts {
        if *part == BodyPart::InBase64 {
            in_base64 = true;
            continue;
        }
        let known = match part {
            BodyPart::Text(text) => Some(text.clone().into_bytes()),
            BodyPart::Base64(text) => STANDARD.decode(text).ok(),
            BodyPart::EventData => sent.data(sent.wire.own.as_ref()),
            BodyPart::OtherEvent(uid) => sent.data(sent.wire.others.get(uid)),
            BodyPart::Omitted(_) | BodyPart::InBase64 => None,
        };
        let encode = std::mem::take(&mut in_base64);
        let known = if encode { known.map(|bytes| STANDARD.encode(bytes).into_bytes()) } else { known };
        match (known, part) {
            (Some(known), _) => bytes.extend_from_slice(&known),
            (None, BodyPart::Omitted(count)) => {
                complete = false;
                bytes.extend_from_slice(format!("…({count} bytes omitted)…").as_bytes());
            }
            (None, _) => {
                complete = false;
                bytes.extend_from_slice("…(event data omitted)…".as_bytes());
            }
        }
    }
    match String::from_utf8(bytes) {
        Ok(text) => (text, "text", complete),
        Err(error) => (STANDARD.encode(error.as_bytes()), "base64", complete),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(parts: &[BodyPart], wire: &Wire) -> (String, &'static str, bool) {
        body(parts, Sent { wire, fields: None })
    }

    #[test]
    fn event_data_is_shown_to_those_who_may_see_it_only() {
        let parts = [BodyPart::Text("{\"data\":".into()), BodyPart::EventData, BodyPart::Text("}".into())];
        let may = Wire { own: Some(b"[1]".to_vec()), ..Wire::default() };
        assert_eq!(shown(&parts, &may), ("{\"data\":[1]}".into(), "text", true));
        assert_eq!(shown(&parts, &Wire::default()).0, "{\"data\":…(event data omitted)…}");
        let encoded = [BodyPart::InBase64, BodyPart::EventData, BodyPart::Text("[1]".into())];
        assert_eq!(shown(&encoded, &may), ("WzFd[1]".into(), "text", true));
        assert_eq!(shown(&encoded, &Wire::default()).0, "…(event data omitted)…[1]");
        assert_eq!(shown(&[BodyPart::Base64("/wA=".into())], &may), ("/wA=".into(), "base64", true));
        assert!(!shown(&[BodyPart::Omitted(9)], &may).2);
    }

    #[test]
    fn of_every_event_the_selection_is_shown_and_nothing_where_it_cannot_be_made() {
        let other = EventUid::new(railhead_model::Timestamp(1), [2; 10]);
        let parts = [BodyPart::EventData, BodyPart::InBase64, BodyPart::EventData, BodyPart::OtherEvent(other)];
        let fields = Fields { exclude: vec!["/x".into()], ..Fields::default() };
        let sent = |own: &[u8]| {
            let others = [(other, br#"{"x":3,"b":4.0}"#.to_vec())].into();
            body(&parts, Sent { wire: &Wire { own: Some(own.to_vec()), others }, fields: Some(&fields) })
        };
        let expected = format!(r#"{{"a":1}}{}{{"b":4.0}}"#, STANDARD.encode(r#"{"a":1}"#));
        assert_eq!(sent(br#"{"a":1,"x":2}"#), (expected, "text", true));
        let (text, _, complete) = sent(b"no JSON");
        assert!(!complete && !text.contains("JSON"), "{text}");
    }
}
