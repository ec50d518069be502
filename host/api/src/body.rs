//! Reading a request's body: bounded in size and time.

use crate::codes;
use crate::operation::Operation;
use crate::problem::Problem;
use crate::state::ApiState;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use std::time::Duration;

/// The media type of a `Content-Type`, lower case, without parameters.
#[must_use]
pub fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// Refuses a body of a type that the operation does not take.
///
/// # Errors
/// 415.
pub fn check_type(operation: &Operation, headers: &HeaderMap) -> Result<(), Problem> {
    let empty = headers.get(CONTENT_LENGTH).is_some_and(|value| value.as_bytes() == b"0");
    let Some(given) = media_type(headers).filter(|_| !operation.takes.is_empty() && !empty) else { return Ok(()) };
    if operation.takes.iter().any(|takes| *takes == given) {
        return Ok(());
    }
    let detail = format!("Expected a body of type {}.", operation.takes.join(" or "));
    Err(Problem::new(&codes::UNSUPPORTED_MEDIA_TYPE, detail))
}

/// Reads the whole body.
///
/// # Errors
/// 413, 408, 400 for a connection that broke.
pub async fn read(
    state: &ApiState,
    operation: &Operation,
    headers: &HeaderMap,
    body: axum::body::Body,
) -> Result<Bytes, Problem> {
    let limit = operation.max_body;
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > limit) {
        return Err(too_large(limit));
    }
    let all = collect(body, limit, announced.unwrap_or(0));
    let deadline = Duration::from_millis(state.options.body_timeout_ms);
    tokio::time::timeout(deadline, all).await.unwrap_or_else(|_| {
        Err(Problem::new(&codes::BODY_TIMEOUT, format!("The body did not arrive within {} ms.", deadline.as_millis())))
    })
}

async fn collect(body: axum::body::Body, limit: usize, announced: usize) -> Result<Bytes, Problem> {
    let mut stream = body.into_data_stream();
    let mut all = BytesMut::with_capacity(announced);
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|_| Problem::new(&codes::INVALID_JSON, "The body broke off."))?;
        if all.len() + piece.len() > limit {
            return Err(too_large(limit));
        }
        all.extend_from_slice(&piece);
    }
    Ok(all.freeze())
}

fn too_large(limit: usize) -> Problem {
    Problem::new(&codes::TOO_LARGE, format!("The body is larger than {limit} bytes."))
}
