//! Reads an answer: bounded in size and time, masked before anybody sees it.

use super::errors;
use super::failure::{Failure, FailureKind};
use super::masks::Masks;
use super::timing::Stopwatch;
use crate::secret::Masker;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt as _;
use std::time::Duration;

/// Bytes of an answer's body that a guest may read; the rest is cut.
pub const MAX_ANSWER: usize = 256 * 1024;
/// Bytes of an answer's head: names and values.
pub const MAX_HEAD: usize = 64 * 1024;
/// Headers of an answer.
pub(super) const MAX_ANSWER_HEADERS: usize = 100;

/// An answer as a guest sees it: masked, its body at most [`MAX_ANSWER`] bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// In the order received; names in lower case.
    pub headers: Vec<(String, String)>,
    /// From its start.
    pub body: Bytes,
    /// Bytes of the body as received.
    pub body_bytes: u64,
    /// True if the body went on and was cut.
    pub cut: bool,
    /// After the body, if there were any.
    pub trailers: Vec<(String, String)>,
}

/// An answer, or its beginning, and how long its body took.
pub(super) struct Answer {
    pub(super) response: Response,
    /// Why it is not whole. A body that was cut at [`MAX_ANSWER`] is no failure.
    pub(super) failure: Option<Failure>,
    pub(super) body_us: u64,
}

/// Reads an answer to its end, its bound, or the end of time. `masks`: none where the host itself reads the answer.
///
/// # Errors
/// `answer-head-too-large`.
pub(super) async fn read(
    answer: reqwest::Response,
    masks: Option<&Masks>,
    left: Duration,
    host: &str,
) -> Result<Answer, Failure> {
    let watch = Stopwatch::start();
    let (head, body) = http::Response::from(answer).into_parts();
    let head_bytes: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if head_bytes > MAX_HEAD || head.headers.len() > MAX_ANSWER_HEADERS {
        return Err(errors::head_too_large(host));
    }
    let overlap = masks.map_or(0, Masks::longest);
    let mut read = Read::default();
    let failure = match tokio::time::timeout(left, read.all(body, MAX_ANSWER.saturating_add(overlap), host)).await {
        Ok(Ok(())) => None,
        Ok(Err(failure)) => Some(failure),
        Err(_) => Some(Failure::new(
            FailureKind::Timeout,
            "body-timeout",
            format!("{host} answered {}, but its body did not end in time.", head.status),
        )),
    };
    let body_bytes = read.len() as u64;
    let cut = read.cut || body_bytes > MAX_ANSWER as u64;
    let mut body = read.body();
    let masker = masks.map(|masks| masks.of(&body, [&head.headers, &read.trailers]));
    if let Some(masker) = &masker {
        let end = body.len().min(MAX_ANSWER);
        body = masker.start(body, end);
    }
    body.truncate(MAX_ANSWER);
    let response = Response {
        status: head.status.as_u16(),
        headers: texts(&head.headers, masker.as_deref()),
        body,
        body_bytes,
        cut,
        trailers: texts(&read.trailers, masker.as_deref()),
    };
    Ok(Answer { response, failure, body_us: watch.us() })
}

/// What was read so far: it outlives a time-out.
#[derive(Default)]
struct Read {
    first: Bytes,
    more: BytesMut,
    cut: bool,
    trailers: HeaderMap,
}

impl Read {
    async fn all(&mut self, mut body: reqwest::Body, limit: usize, host: &str) -> Result<(), Failure> {
        while let Some(frame) = body.frame().await {
            match frame.map_err(|error| errors::of(error, host))?.into_data() {
                Ok(data) => self.push(data),
                Err(other) => self.trailers = other.into_trailers().unwrap_or_default(),
            }
            if self.len() > limit {
                self.cut = true;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Most answers are one piece: it is kept as it came.
    fn push(&mut self, data: Bytes) {
        if self.first.is_empty() && self.more.is_empty() {
            self.first = data;
            return;
        }
        if self.more.is_empty() {
            self.more.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.more.extend_from_slice(&data);
    }

    fn len(&self) -> usize {
        self.first.len().max(self.more.len())
    }

    fn body(&mut self) -> Bytes {
        if self.more.is_empty() { self.first.clone() } else { std::mem::take(&mut self.more).freeze() }
    }
}

fn texts(headers: &HeaderMap, masker: Option<&Masker>) -> Vec<(String, String)> {
    let text = |(name, value): (&http::HeaderName, &http::HeaderValue)| match masker {
        Some(masker) => (masker.text(name.as_str()).into_owned(), masker.header(name.as_str(), value.as_bytes())),
        None => (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()),
    };
    headers.iter().map(text).collect()
}
