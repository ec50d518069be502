//! What a token endpoint answers: the token and its life, or why there is none.

use crate::egress::{Failure, FailureKind, Response};
use crate::secret::{MAX_SECRET, Masker};
use serde_json::Value;
use zeroize::Zeroizing;

/// Where a token endpoint's answer holds what is taken: JSON Pointers (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Take {
    token: String,
    expires_in: Option<String>,
}

/// Bytes of a token at least: a shorter one could not be masked.
const SHORTEST_TOKEN: usize = 8;
/// Bytes of an endpoint's own words that a failure repeats.
const MAX_WORDS: usize = 512;

impl Take {
    /// Reads what a connector asks for.
    ///
    /// # Errors
    /// `exchange-take`: no token, an attribute twice, an unknown one, or no JSON Pointer.
    pub(crate) fn of(asked: Vec<(String, String)>) -> Result<Self, Failure> {
        let wrong = |message: String| Err(Failure::invalid("exchange-take", message));
        let (mut token, mut expires_in) = (None, None);
        for (attribute, pointer) in asked {
            let place = match attribute.as_str() {
                "token" => &mut token,
                "expires-in" => &mut expires_in,
                "refresh-token" => {
                    return wrong(
                        "This version of the host takes no refresh token: use a grant that needs none.".into(),
                    );
                }
                other => return wrong(format!("`{}` is not taken; `token` and `expires-in` are.", shown(other))),
            };
            if !pointer.is_empty() && !pointer.starts_with('/') {
                return wrong(format!("What `{attribute}` is taken from must be a JSON Pointer."));
            }
            if place.replace(pointer).is_some() {
                return wrong(format!("`{attribute}` is taken twice."));
            }
        }
        match token {
            Some(token) => Ok(Self { token, expires_in }),
            None => wrong("An exchange must take `token`.".into()),
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
) -> Result<(Zeroizing<Vec<u8>>, Option<u64>), Failure> {
    let mut body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let result = read(answer, &body, take, masker);
    erase(&mut body);
    result
}

fn read(
    answer: &Response,
    body: &Value,
    take: &Take,
    masker: &Masker,
) -> Result<(Zeroizing<Vec<u8>>, Option<u64>), Failure> {
    // Some endpoints refuse with 200.
    if !(200..300).contains(&answer.status) || !body.get("error").is_none_or(Value::is_null) {
        return Err(refusal(answer, body, masker));
    }
    let no_token = |what: &str| {
        let message = format!("The token endpoint answered {}, but {what}.", answer.status);
        Err(Failure::new(FailureKind::Credential, "exchange-no-token", message))
    };
    let Some(token) = body.pointer(&take.token).and_then(Value::as_str) else {
        return no_token(&format!(
            "its answer has no text at {}: it is no token endpoint, or another kind",
            name(take)
        ));
    };
    if token.len() < SHORTEST_TOKEN || token.len() > MAX_SECRET || token.chars().any(char::is_control) {
        return no_token("what it gave is no token: too short, too long, or with control characters");
    }
    let life = take.expires_in.as_ref().and_then(|pointer| seconds(body.pointer(pointer)?));
    Ok((Zeroizing::new(token.as_bytes().to_vec()), life.map(|seconds| seconds.saturating_mul(1_000))))
}

fn name(take: &Take) -> String {
    if take.token.is_empty() { "its top".to_owned() } else { format!("`{}`", shown(&take.token)) }
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

/// RFC 6749, section 5.2: `error` and `error_description`.
fn refusal(answer: &Response, body: &Value, masker: &Masker) -> Failure {
    let status = answer.status;
    let error = body.get("error").and_then(|error| error.as_str().or_else(|| error.get("message")?.as_str()));
    let later = matches!(error, Some("temporarily_unavailable" | "server_error" | "slow_down"));
    let (kind, code) = match status {
        429 => (FailureKind::Other, "exchange-throttled"),
        408 | 425 | 500.. => (FailureKind::Other, "exchange-unavailable"),
        _ if later => (FailureKind::Other, "exchange-unavailable"),
        _ => (FailureKind::Credential, "exchange-refused"),
    };
    let description = body.get("error_description").and_then(Value::as_str);
    let words: Vec<String> = error.into_iter().chain(description).map(|text| shown(&masker.text(text))).collect();
    let words = if words.is_empty() { hint(status).to_owned() } else { words.join(": ") };
    Failure::new(kind, code, format!("The token endpoint answered {status}: {words}"))
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
