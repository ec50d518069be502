//! What a token endpoint answers: the token or the keys and their life, or why there are none.

use super::xml;
use crate::egress::{Failure, FailureKind, Response};
use crate::secret::{MAX_SECRET, Masker};
use railhead_model::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// What is made of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A token.
    Bearer,
    /// A key pair of AWS, as its token service makes them.
    Aws,
}

/// Where a token endpoint's answer holds what is taken: JSON Pointers (RFC 6901), which are the paths of an XML document's
/// elements too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Take {
    pub(crate) kind: Kind,
    places: BTreeMap<&'static str, String>,
}

/// What an endpoint gave.
pub(crate) enum Taken {
    /// A token.
    Bearer(Zeroizing<Vec<u8>>),
    /// A key pair.
    Aws { id: String, secret: Zeroizing<String>, token: Option<Zeroizing<String>> },
}

/// Bytes of a token at least: a shorter one could not be masked.
const SHORTEST_TOKEN: usize = 8;
/// Bytes of an endpoint's own words that a failure repeats.
const MAX_WORDS: usize = 512;

impl Kind {
    /// Reads the contract's name of a kind.
    ///
    /// # Errors
    /// `exchange-kind`.
    pub(crate) fn parse(name: &str) -> Result<Self, Failure> {
        match name {
            "bearer" => Ok(Self::Bearer),
            "aws" => Ok(Self::Aws),
            _ => Err(Failure::invalid("exchange-kind", "This host makes tokens of the kinds `bearer` and `aws`.")),
        }
    }

    /// What is taken for it: what must be, and what may be.
    const fn attributes(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Bearer => (&["token"], &["expires-in"]),
            Self::Aws => (&["access-key-id", "secret-access-key"], &["session-token", "expiration"]),
        }
    }
}

impl Take {
    /// Reads what a connector asks for.
    ///
    /// # Errors
    /// `exchange-take`: one that must be taken is missing, an attribute is there twice or unknown, or no JSON Pointer.
    pub(crate) fn of(kind: Kind, asked: Vec<(String, String)>) -> Result<Self, Failure> {
        let wrong = |message: String| Err(Failure::invalid("exchange-take", message));
        let (must, may) = kind.attributes();
        let mut places = BTreeMap::new();
        for (attribute, pointer) in asked {
            let Some(known) = must.iter().chain(may).find(|known| **known == attribute) else {
                if attribute == "refresh-token" {
                    return wrong(
                        "This version of the host takes no refresh token: use a grant that needs none.".into(),
                    );
                }
                let all = must.iter().chain(may).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                return wrong(format!("`{}` is not taken; {all} are.", shown(&attribute)));
            };
            if !pointer.is_empty() && !pointer.starts_with('/') {
                return wrong(format!("What `{attribute}` is taken from must be a JSON Pointer."));
            }
            if places.insert(*known, pointer).is_some() {
                return wrong(format!("`{attribute}` is taken twice."));
            }
        }
        if let Some(missing) = must.iter().find(|known| !places.contains_key(*known)) {
            return wrong(format!("An exchange of this kind must take `{missing}`."));
        }
        let places = Self { kind, places };
        if kind == Kind::Aws && !places.leaves_secrets_alone() {
            return wrong(
                "The id of keys is public: it is taken from a member `AccessKeyId`, and what else is taken from elsewhere."
                    .into(),
            );
        }
        Ok(places)
    }

    /// True if what becomes public is what an endpoint calls the id, and nothing is taken from one place twice.
    fn leaves_secrets_alone(&self) -> bool {
        let id = self.places.get("access-key-id").and_then(|pointer| pointer.rsplit('/').next()).unwrap_or_default();
        let letters = id.chars().filter(|c| !matches!(c, '-' | '_')).collect::<String>();
        let different: std::collections::BTreeSet<&String> = self.places.values().collect();
        letters.eq_ignore_ascii_case("accesskeyid") && different.len() == self.places.len()
    }

    fn value<'a>(&self, attribute: &str, body: &'a Value) -> Option<&'a Value> {
        body.pointer(self.places.get(attribute)?)
    }

    /// Where an attribute is taken from, for people.
    fn place(&self, attribute: &str) -> String {
        match self.places.get(attribute).map(String::as_str) {
            None | Some("") => "its top".to_owned(),
            Some(pointer) => format!("`{}`", shown(pointer)),
        }
    }
}

/// The token, and its life in milliseconds where the endpoint told one.
///
/// # Errors
/// `exchange-throttled` and `exchange-unavailable` (kind `other`): later. `exchange-refused` and `exchange-no-token` (kind
/// `credential`): not before a person acts. The endpoint's words are masked and bounded.
pub(crate) fn taken(
    answer: &Response,
    take: &Take,
    masker: &Masker,
    now: Timestamp,
) -> Result<(Taken, Option<u64>), Failure> {
    let mut body = tree(&answer.body);
    let result = read(answer, &body, take, masker, now);
    erase(&mut body);
    result
}

/// XML begins with `<`, which no JSON does.
fn tree(body: &[u8]) -> Value {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body).trim_ascii_start();
    if !body.starts_with(b"<") {
        return serde_json::from_slice(body).unwrap_or_default();
    }
    std::str::from_utf8(body).ok().and_then(xml::tree).unwrap_or_default()
}

fn read(
    answer: &Response,
    body: &Value,
    take: &Take,
    masker: &Masker,
    now: Timestamp,
) -> Result<(Taken, Option<u64>), Failure> {
    // Some endpoints refuse with 200.
    if !(200..300).contains(&answer.status) || !body.get("error").is_none_or(Value::is_null) {
        return Err(refusal(answer, body, masker));
    }
    let text = |attribute: &str| secret_text(answer, body, take, attribute);
    match take.kind {
        Kind::Bearer => {
            let token = Zeroizing::new(text("token")?.as_bytes().to_vec());
            let life = take.value("expires-in", body).and_then(seconds);
            Ok((Taken::Bearer(token), life.map(|seconds| seconds.saturating_mul(1_000))))
        }
        Kind::Aws => {
            let secret = |attribute| text(attribute).map(|text| Zeroizing::new(text.to_owned()));
            let token = take.places.contains_key("session-token").then(|| secret("session-token")).transpose()?;
            let (id, secret) = (text("access-key-id")?.to_owned(), secret("secret-access-key")?);
            let others = [Some(&secret), token.as_ref()];
            if !is_public(&id, others.into_iter().flatten().map(|text| text.as_str()), masker) {
                return Err(no_token(answer, "what it gave as the id of keys is none"));
            }
            let ends = take.value("expiration", body).and_then(moment);
            let life_ms = ends.map(|ends| u64::try_from(ends.since(now)).unwrap_or(0));
            Ok((Taken::Aws { id, secret, token }, life_ms))
        }
    }
}

fn secret_text<'a>(answer: &Response, body: &'a Value, take: &Take, attribute: &str) -> Result<&'a str, Failure> {
    let Some(text) = take.value(attribute, body).and_then(Value::as_str) else {
        let place = take.place(attribute);
        return Err(no_token(
            answer,
            &format!("its answer has no text at {place}: it is no token endpoint, or another kind"),
        ));
    };
    if text.len() < SHORTEST_TOKEN || text.len() > MAX_SECRET || text.chars().any(char::is_control) {
        return Err(no_token(answer, "what it gave is no token: too short, too long, or with control characters"));
    }
    Ok(text)
}

/// True if this is the id of an access key, which everybody may see: 16 to 128 letters, digits and underscores, as AWS writes
/// them; and if nothing that is secret is in it.
fn is_public<'a>(id: &str, mut others: impl Iterator<Item = &'a str>, masker: &Masker) -> bool {
    let fits = (16..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    fits && others.all(|other| !other.contains(id) && !id.contains(other)) && masker.text(id) == id
}

/// A usable status without a usable token.
pub(crate) fn no_token(answer: &Response, what: &str) -> Failure {
    let message = format!("The token endpoint answered {}, but {what}.", answer.status);
    Failure::new(FailureKind::Credential, "exchange-no-token", message)
}

/// A life in seconds: a number, or a number in a text. What was before counts as 0.
fn seconds(value: &Value) -> Option<u64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse::<f64>().ok()?,
        _ => return None,
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped right before
    number.is_finite().then(|| number.clamp(0.0, 1e12) as u64)
}

/// When keys end: RFC 3339, or seconds since the epoch.
fn moment(value: &Value) -> Option<Timestamp> {
    if let Some(Ok(at)) = value.as_str().map(|text| Timestamp::parse(text.trim())) {
        return Some(at);
    }
    let seconds = i64::try_from(seconds(value)?).ok()?;
    Some(Timestamp(seconds.saturating_mul(1_000)))
}

/// Words of AWS's errors that stand for "slower" and for "not now", whatever the status is.
const SLOWER: [&str; 5] =
    ["LimitExceededException", "RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException"];
const NOT_NOW: [&str; 4] = ["IDPCommunicationError", "InternalFailure", "InternalError", "ServiceUnavailable"];

/// RFC 6749, section 5.2: `error` and `error_description`; of AWS, `Error` with `Code` and `Message`.
fn refusal(answer: &Response, body: &Value, masker: &Masker) -> Failure {
    let status = answer.status;
    let (error, description) = words(body);
    let is = |known: &[&str]| error.is_some_and(|error| known.contains(&error));
    let (kind, code) = match status {
        429 => (FailureKind::Other, "exchange-throttled"),
        408 | 425 | 500.. => (FailureKind::Other, "exchange-unavailable"),
        _ if is(&SLOWER) => (FailureKind::Other, "exchange-throttled"),
        _ if is(&NOT_NOW) || is(&["temporarily_unavailable", "server_error", "slow_down"]) => {
            (FailureKind::Other, "exchange-unavailable")
        }
        _ => (FailureKind::Credential, "exchange-refused"),
    };
    let words: Vec<String> = error.into_iter().chain(description).map(|text| shown(&masker.text(text))).collect();
    let words = if words.is_empty() { hint(status).to_owned() } else { words.join(": ") };
    Failure::new(kind, code, format!("The token endpoint answered {status}: {words}"))
}

/// What an endpoint calls its error, and how it describes it.
fn words(body: &Value) -> (Option<&str>, Option<&str>) {
    let of_aws = body.pointer("/ErrorResponse/Error").or_else(|| body.get("Error"));
    if let Some(error) = of_aws.filter(|error| error.is_object()) {
        let text = |name: &str| error.get(name).and_then(Value::as_str);
        return (text("Code"), text("Message"));
    }
    let error = body.get("error").and_then(|error| error.as_str().or_else(|| error.get("message")?.as_str()));
    (error, body.get("error_description").and_then(Value::as_str))
}

fn hint(status: u16) -> &'static str {
    match status {
        300..=399 => "redirects are not followed. Set the address it points to.",
        404 => "there is nothing at this address.",
        _ => "it gave no reason.",
    }
}

/// An endpoint's or a connector's words: bounded, without control characters.
fn shown(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if out.len() + c.len_utf8() > MAX_WORDS {
            break;
        }
        out.push(c);
    }
    out
}

/// Overwrites the texts of a document that held a token.
fn erase(value: &mut Value) {
    use zeroize::Zeroize as _;
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(erase),
        Value::Object(members) => members.values_mut().for_each(erase),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
