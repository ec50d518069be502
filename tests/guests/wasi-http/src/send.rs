//! Requests, by `wstd`.

use crate::config::{Config, Place, Tell};
use crate::exports::railhead::plugin::destination::Event;
use crate::railhead::plugin::types::{Failure, Kind, Outcome};
use crate::reason;
use wstd::http::error::ErrorCode;
use wstd::http::{Body, Client, Error, Request};
use wstd::time::{Duration, Instant};

/// What came back.
pub struct Came {
    status: u16,
    body: String,
    /// Nanoseconds by the guest's clock, and for a wait of ten milliseconds.
    clock: (u128, u128),
}

/// The event's data as the body, and the placeholder where the configuration wants it.
pub fn request(config: &Config, placeholder: Option<&str>, event: &Event) -> Result<Request<Body>, Failure> {
    let text = placeholder.unwrap_or("none");
    let mut uri = config.to.clone().unwrap_or_else(|| config.url.clone());
    if config.place == Place::Query {
        uri.push_str(&format!("?key={text}"));
    }
    let mut builder = Request::post(uri).header("content-type", &event.content_type);
    builder = match config.place {
        Place::Header if config.field == "headers" => builder.header("x-map", text),
        Place::Header => builder.header("authorization", format!("Bearer {text}")),
        Place::Name => builder.header(text, "name"),
        Place::Body | Place::Query | Place::Nowhere => builder,
    };
    for (name, value) in &config.headers {
        builder = builder.header(name, value);
    }
    let mut body = event.data.clone();
    if config.place == Place::Body {
        body.extend_from_slice(text.as_bytes());
    }
    body.resize(body.len() + config.body_bytes, b' ');
    builder.body(Body::from(body)).map_err(|error| Failure {
        kind: Kind::Invalid,
        code: "request-invalid".to_owned(),
        message: error.to_string(),
    })
}

/// Sends it and reads the whole answer.
pub async fn send(request: Request<Body>, timeout_ms: Option<u64>) -> Result<Came, Error> {
    let began = Instant::now();
    let mut client = Client::new();
    if let Some(ms) = timeout_ms {
        client.set_connect_timeout(Duration::from_millis(1));
        client.set_first_byte_timeout(Duration::from_millis(ms));
        client.set_between_bytes_timeout(Duration::from_millis(ms));
    }
    let mut answer = client.send(request).await?;
    let status = answer.status().as_u16();
    let body = answer.body_mut().str_contents().await?.to_owned();
    let answered = began.elapsed().as_nanos();
    let pause = Instant::now();
    wstd::task::sleep(Duration::from_millis(10)).await;
    Ok(Came { status, body, clock: (answered, pause.elapsed().as_nanos()) })
}

/// By the status; no answer by the code of `wasi:http`.
pub fn outcome(came: Result<Came, Error>, config: &Config) -> Outcome {
    match came {
        Ok(Came { status, body, clock }) => {
            let told = match config.tell {
                Tell::Clock => format!("{} {}", clock.0, clock.1),
                Tell::Body | Tell::Placeholder => body,
            };
            let because = reason("answered", &told, Some(status));
            if (200..300).contains(&status) { Outcome::Delivered(because) } else { Outcome::Transient((because, None)) }
        }
        Err(error) => {
            let code = error.downcast_ref::<ErrorCode>();
            let told = code.map_or_else(|| error.to_string(), |code| format!("{code:?}"));
            match code {
                Some(ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited) => {
                    Outcome::Misconfigured(reason("refused", &told, None))
                }
                Some(ErrorCode::InternalError(_) | ErrorCode::HttpRequestBodySize(_)) => {
                    Outcome::Permanent(reason("failed", &told, None))
                }
                _ => Outcome::Uncertain(reason("no-answer", &told, None)),
            }
        }
    }
}
