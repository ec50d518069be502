//! What sends.

use crate::config::Config;
use crate::railhead::plugin::credentials::{self, Encoding, Part};
use crate::railhead::plugin::host::Call;
use crate::railhead::plugin::http::{self, Request, Response, Signed};
use crate::railhead::plugin::types::{Failure, Outcome, Reason};
use crate::{delivered, reason};

fn post(config: &Config) -> Request {
    Request::new("POST", config.url.as_deref().unwrap_or_default())
}

fn text(text: &str) -> Part<'static> {
    Part::Bytes(text.as_bytes().to_vec())
}

/// One request per event; without a URL nothing is sent.
pub fn each(config: &Config, call: &Call, count: u32) -> Result<(), Failure> {
    if config.url.is_none() {
        call.settle(&(0..count).collect::<Vec<_>>(), &delivered("not-sent"));
        return Ok(());
    }
    let mut requests = Vec::new();
    for index in 0..count {
        let request = post(config);
        request.carries(&[index]);
        request.body(&[Part::EventData(index)])?;
        requests.push(request);
    }
    for (index, result) in (0..count).zip(http::send_all(requests, count)) {
        call.settle(&[index], &of_answer(&result));
    }
    Ok(())
}

/// One request for all.
pub fn batch(config: &Config, call: &Call, count: u32) -> Result<(), Failure> {
    let all: Vec<u32> = (0..count).collect();
    let result = send_array(config, call, &all);
    let words: Vec<String> = match &result {
        Ok(response) if response.status() < 300 => serde_json::from_slice(&response.body(1 << 20)).unwrap_or_default(),
        _ => Vec::new(),
    };
    for index in all {
        let outcome = match words.get(index as usize) {
            Some(word) => of_word(word),
            None => of_answer(&result),
        };
        call.settle(&[index], &outcome);
    }
    Ok(())
}

/// Sends the events as one JSON array, under the batch's id.
pub fn send_array(config: &Config, call: &Call, events: &[u32]) -> Result<Response, Failure> {
    let request = post(config);
    request.carries(events);
    request.header("content-type", &[text("application/json")])?;
    request.header("batch-id", &[text(&call.batch_id())])?;
    for &index in events {
        request.body(&[text(if index == 0 { "[" } else { "," }), Part::EventData(index)])?;
    }
    request.body(&[text("]")])?;
    http::send(request)
}

/// Sends the key everywhere that it may be placed; answers with what came back.
pub fn echo(config: &Config, events: &[u32]) -> Result<String, Failure> {
    let keys = credentials::get("api_key")?;
    let request = post(config);
    request.carries(events);
    for key in &keys {
        request.header("x-api-key", &[Part::Secret((key, Encoding::Raw))])?;
        request.query("key", &[Part::Secret((key, Encoding::Raw))])?;
        let composed = credentials::compose(&[text("user:"), Part::Secret((key, Encoding::Raw))], Encoding::Base64)?;
        request.header("authorization", &[text("Basic "), Part::Secret((&composed, Encoding::Raw))])?;
        for encoding in [Encoding::Raw, Encoding::Base64, Encoding::Base64url, Encoding::Hex, Encoding::Percent] {
            request.body(&[text("\n"), Part::Secret((key, encoding))])?;
        }
    }
    let response = http::send(request)?;
    Ok(String::from_utf8_lossy(&response.body(64 * 1024)).into_owned())
}

/// Each misuse must be refused. The names of those that were not, or the first refusal.
pub fn misuse(config: &Config) -> Outcome {
    let mut refused = None;
    let mut allowed = Vec::new();
    for (name, attempt) in MISUSES {
        match attempt(config) {
            Ok(()) => allowed.push(name),
            Err(failure) => refused = refused.or(Some(failure)),
        }
    }
    match refused {
        Some(failure) if allowed.is_empty() => Outcome::Permanent(reason(&failure.code, &failure.message)),
        _ => Outcome::Permanent(reason("misused", &allowed.join(", "))),
    }
}

type Misuse = fn(&Config) -> Result<(), Failure>;

const MISUSES: [(&str, Misuse); 7] = [
    ("signing secret in a header", |config| {
        let (request, keys) = (post(config), credentials::get("signing_secret")?);
        request.header("x-leak", &[Part::Secret((&keys[0], Encoding::Hex))])?;
        http::send(request).map(drop)
    }),
    ("signing secret in the query", |config| {
        let (request, keys) = (post(config), credentials::get("signing_secret")?);
        request.query("leak", &[Part::Secret((&keys[0], Encoding::Hex))])?;
        http::send(request).map(drop)
    }),
    ("signing secret in the body", |config| {
        let (request, keys) = (post(config), credentials::get("signing_secret")?);
        request.body(&[Part::Secret((&keys[0], Encoding::Raw))])?;
        http::send(request).map(drop)
    }),
    ("signing secret composed", |_| {
        let keys = credentials::get("signing_secret")?;
        credentials::compose(&[Part::Secret((&keys[0], Encoding::Raw))], Encoding::Base64).map(drop)
    }),
    ("signing secret as a URL", |_| {
        let keys = credentials::get("signing_secret")?;
        Request::to_secret("POST", &keys[0]).map(drop)
    }),
    ("API key as a key", |config| {
        let (request, keys) = (post(config), credentials::get("api_key")?);
        request.sign_header("x", &[], "", "", &[Signed::Body], &[&keys[0]], "hmac-sha256", Encoding::Hex)?;
        http::send(request).map(drop)
    }),
    ("a field that the manifest does not have", |_| credentials::get("ed25519_key").map(drop)),
];

fn of_answer(result: &Result<Response, Failure>) -> Outcome {
    match result {
        Ok(response) if (200..300).contains(&response.status()) => delivered(&format!("http-{}", response.status())),
        Ok(response) => Outcome::Transient((reason(&format!("http-{}", response.status()), ""), None)),
        Err(failure) => Outcome::Uncertain(reason(&failure.code, &failure.message)),
    }
}

/// An outcome by the API's word for its class.
fn of_word(word: &str) -> Outcome {
    let because: Reason = reason("by-answer", word);
    match word {
        "delivered" => Outcome::Delivered(because),
        "throttled" => Outcome::Throttled((because, 1000)),
        "transient" => Outcome::Transient((because, None)),
        "uncertain" => Outcome::Uncertain(because),
        "too_large" => Outcome::TooLarge(because),
        "misconfigured" => Outcome::Misconfigured(because),
        "rejected_credentials" => Outcome::RejectedCredentials(because),
        "untried" => Outcome::Untried,
        _ => Outcome::Permanent(because),
    }
}
