//! Why a page cannot be shown, and what to do next.

use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use serde_json::Value;

/// See the module. It travels as an extension of an empty response; [`crate::frame`] makes the page of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// HTTP status.
    pub status: u16,
    /// The API's code.
    pub code: String,
    /// What happened, for a person.
    pub detail: String,
    /// The request's id in the host's log.
    pub request_id: String,
}

impl Failure {
    fn new(status: u16, code: &str, detail: &str) -> Self {
        Self { status, code: code.to_owned(), detail: detail.to_owned(), request_id: String::new() }
    }

    /// What the API answered instead of a success.
    #[must_use]
    pub fn answered(status: StatusCode, body: &[u8]) -> Self {
        let problem: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        Self { status: status.as_u16(), code: text("code"), detail: text("detail"), request_id: text("request_id") }
    }

    /// Nothing here, or not for this key.
    #[must_use]
    pub fn missing() -> Self {
        Self::new(404, "not-found", "There is no such page.")
    }

    /// The form is not one of ours.
    #[must_use]
    pub fn foreign_form() -> Self {
        Self::new(403, "foreign-form", "The form did not come from a page of this host.")
    }

    /// The method is not one of this page's.
    #[must_use]
    pub fn not_allowed() -> Self {
        Self::new(405, "method-not-allowed", "This page does not take this method.")
    }

    /// The form is too large, or was cut off.
    #[must_use]
    pub fn too_large() -> Self {
        Self::new(413, "too-large", "The form is larger than forms of these pages are, or did not arrive whole.")
    }

    /// What the address says cannot be read, such as bytes that are no text.
    #[must_use]
    pub fn unreadable(status: u16) -> Self {
        Self::new(status, "invalid-address", "The address cannot be read.")
    }

    /// Too many pages are asked for at once.
    #[must_use]
    pub fn busy() -> Self {
        Self::new(503, "busy", "Too many pages are asked for at once.")
    }

    /// The key is not good any more.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(401, "unauthenticated", "The key is not valid.")
    }

    /// A defect.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(500, "internal", "The page could not be made.")
    }

    /// What it is called.
    #[must_use]
    pub const fn title(&self) -> &'static str {
        match self.status {
            400 | 422 => "That cannot be looked up",
            403 => "Not for this key",
            404 => "Nothing here",
            405 => "Not like this",
            410 => "Gone",
            413 => "Too large",
            503 => "Not available at this moment",
            _ => "Something went wrong",
        }
    }

    /// What a person can do next.
    #[must_use]
    pub const fn next(&self) -> &'static str {
        match self.status {
            400 | 422 => "Go back and correct the filters, or leave them empty.",
            403 => {
                "Sign in with a key that has this scope, or ask whoever manages keys for one. What this key may see is \
                 still there in the navigation."
            }
            404 | 410 => {
                "Check the address. What belongs to another environment or tenant is not found either, and what is older \
                 than the retention is gone."
            }
            405 => "Open the page from the navigation.",
            413 => "Go back and send less.",
            503 => "The host has too much to do, cannot reach its database, or is about to stop. Reload in a moment.",
            _ => {
                "Reload the page. If it stays, give the request id below to whoever runs this host: its log says more."
            }
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        if self.status == 503 {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response.extensions_mut().insert(self);
        response
    }
}
