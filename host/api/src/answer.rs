//! What an operation answers.

use crate::problem::Problem;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde_json::Value;

/// Status, headers and body.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `content-type` among them.
    pub headers: Vec<(HeaderName, String)>,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// A JSON body.
    ///
    /// # Errors
    /// 500 for what cannot be written as JSON, which no view is.
    pub fn json(status: u16, body: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_vec(body).map_err(|error| Problem::internal(&error))?;
        Ok(Self::bytes(status, "application/json", body.into()))
    }

    /// 200 with a JSON body.
    ///
    /// # Errors
    /// As [`Answer::json`].
    pub fn ok(body: &Value) -> Result<Self, Problem> {
        Self::json(200, body)
    }

    /// 204.
    #[must_use]
    pub const fn empty() -> Self {
        Self { status: 204, headers: Vec::new(), body: Bytes::new() }
    }

    /// Bytes of a type.
    #[must_use]
    pub fn bytes(status: u16, content_type: &str, body: Bytes) -> Self {
        Self { status, headers: vec![(CONTENT_TYPE, content_type.to_owned())], body }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With the revision as its ETag.
    #[must_use]
    pub fn etag(self, revision: i64) -> Self {
        self.header(http::header::ETAG, format!("\"{revision}\""))
    }

    /// A problem document.
    #[must_use]
    pub fn problem(problem: &Problem, request_id: &str) -> Self {
        let body = problem.document(request_id).to_string();
        let answer = Self::bytes(problem.status(), "application/problem+json", body.into());
        match problem.retry_after_s {
            Some(seconds) => answer.header(RETRY_AFTER, seconds.to_string()),
            None => answer,
        }
    }

    /// The value of a header.
    #[must_use]
    pub fn header_value(&self, name: &HeaderName) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// As a response. What a key was needed for is not for caches.
    #[must_use]
    pub fn into_response(self) -> Response<axum::body::Body> {
        let mut response = Response::new(axum::body::Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(http::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        for (name, value) in self.headers {
            // Values are ours, or checked where they came in.
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}
