//! Reading a request's body: bounded in size and time.

use crate::codes;
use crate::operation::Operation;
use crate::problem::Problem;
use crate::state::ApiState;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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

/// The room for all bodies that are in memory at once.
#[derive(Debug)]
pub struct Room(Arc<Semaphore>);

/// Bytes of one permit.
const GRAIN: usize = 1_024;

impl Room {
    /// Room for so many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new((bytes / GRAIN).min(Semaphore::MAX_PERMITS))))
    }
}

/// A body, and the room that it takes until its last slice is gone.
struct Body {
    bytes: BytesMut,
    room: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Body {
    fn append(&mut self, piece: &[u8]) -> Result<(), Problem> {
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = (self.bytes.len() + piece.len()).div_ceil(GRAIN).saturating_sub(held);
        if more > 0 {
            let more =
                u32::try_from(more).ok().and_then(|more| Arc::clone(&self.room).try_acquire_many_owned(more).ok());
            let more = more.ok_or_else(|| {
                Problem::new(&codes::OVERLOADED, "More requests come than the host has room for.").retry_after(1)
            })?;
            match &mut self.held {
                Some(held) => held.merge(more),
                None => self.held = Some(more),
            }
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }
}

/// Reads the whole body. It takes room from the state's [`Room`] until the last slice of it is dropped.
///
/// # Errors
/// 413, 408, 400 for a connection that broke, 503 where there is no room.
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
    let held =
        Body { bytes: BytesMut::with_capacity(announced.unwrap_or(0)), room: Arc::clone(&state.bodies.0), held: None };
    let all = collect(body, limit, held);
    let deadline = Duration::from_millis(state.options.body_timeout_ms);
    tokio::time::timeout(deadline, all).await.unwrap_or_else(|_| {
        Err(Problem::new(&codes::BODY_TIMEOUT, format!("The body did not arrive within {} ms.", deadline.as_millis())))
    })
}

async fn collect(body: axum::body::Body, limit: usize, mut all: Body) -> Result<Bytes, Problem> {
    let mut stream = body.into_data_stream();
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|_| Problem::new(&codes::INVALID_JSON, "The body broke off."))?;
        if all.bytes.len() + piece.len() > limit {
            return Err(too_large(limit));
        }
        all.append(&piece)?;
    }
    Ok(Bytes::from_owner(all))
}

fn too_large(limit: usize) -> Problem {
    Problem::new(&codes::TOO_LARGE, format!("The body is larger than {limit} bytes."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(room: &Room, text: &str) -> Result<Bytes, Problem> {
        let mut body = Body { bytes: BytesMut::new(), room: Arc::clone(&room.0), held: None };
        text.as_bytes().chunks(700).try_for_each(|piece| body.append(piece))?;
        Ok(Bytes::from_owner(body))
    }

    #[test]
    fn bodies_in_memory_are_bounded_together_and_their_room_comes_free_with_their_last_slice() {
        let room = Room::new(4_096);
        let first = body(&room, &"x".repeat(3_000)).expect("room");
        assert_eq!((first.len(), room.0.available_permits()), (3_000, 1));
        let problem = body(&room, &"x".repeat(2_000)).expect_err("no room");
        assert_eq!((problem.code, problem.retry_after_s), (&codes::OVERLOADED, Some(1)));
        assert_eq!(room.0.available_permits(), 1, "what was refused holds nothing");
        let slice = first.slice(10..20);
        drop(first);
        assert_eq!(room.0.available_permits(), 1);
        drop(slice);
        assert!(body(&room, &"x".repeat(4_096)).is_ok());
    }
}
