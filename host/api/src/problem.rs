//! Problem documents (RFC 9457).

use crate::codes::{self, Code};
use railhead_store::StoreError;
use railhead_store::directory::MAX_REORDERED;
use railhead_store::jobs::MAX_RUNNING;
use serde::Serialize;
use serde_json::{Value, json};

/// Why a request, or one event of it, was refused.
#[derive(Clone, Debug)]
pub struct Problem {
    /// What kind.
    pub code: &'static Code,
    /// About this occurrence, for a person. Never carries a secret.
    pub detail: String,
    /// The fields that are wrong.
    pub errors: Vec<FieldError>,
    /// When to come again, in seconds.
    pub retry_after_s: Option<u64>,
}

/// One field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// JSON Pointer into the body; `?name` for a query parameter.
    pub pointer: String,
    /// One of the registered codes.
    pub code: &'static str,
    /// What is wrong, and what is allowed.
    pub detail: String,
}

/// Wrong fields that a problem names at most.
pub const MAX_ERRORS: usize = 20;

impl FieldError {
    /// An error at a place of the body.
    pub fn new(pointer: impl Into<String>, code: &'static Code, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code: code.name, detail: detail.into() }
    }
}

impl Problem {
    /// A problem of this code.
    pub fn new(code: &'static Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), errors: Vec::new(), retry_after_s: None }
    }

    /// Wrong fields of a body that is JSON.
    #[must_use]
    pub fn input(errors: Vec<FieldError>) -> Self {
        Self::of_fields(&codes::INVALID_INPUT, errors)
    }

    /// One wrong field of a body.
    pub fn field(pointer: impl Into<String>, code: &'static Code, detail: impl Into<String>) -> Self {
        Self::input(vec![FieldError::new(pointer, code, detail)])
    }

    /// Wrong fields under a code of its own.
    #[must_use]
    pub fn of_fields(code: &'static Code, mut errors: Vec<FieldError>) -> Self {
        let more = errors.len() > MAX_ERRORS;
        errors.truncate(MAX_ERRORS);
        let detail = match errors.as_slice() {
            some if more => format!("{} fields and more are not valid; see `errors` for the first.", some.len()),
            [only] if only.pointer.is_empty() => only.detail.clone(),
            [only] => format!("{}: {}", only.pointer, only.detail),
            many => format!("{} fields are not valid; see `errors`.", many.len()),
        };
        Self { code, detail, errors, retry_after_s: None }
    }

    /// A wrong query parameter.
    pub fn query(name: &str, detail: impl Into<String>) -> Self {
        let error = FieldError::new(format!("?{name}"), &codes::INVALID_VALUE, detail);
        Self::of_fields(&codes::INVALID_QUERY, vec![error])
    }

    /// Nothing here, or not for the caller.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(&codes::NOT_FOUND, format!("There is no such {what} here."))
    }

    /// The same with a time to come again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds.max(1));
        self
    }

    /// Its HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.code.status
    }

    /// The document.
    #[must_use]
    pub fn document(&self, request_id: &str) -> Value {
        let mut document = json!({
            "type": format!("/problems/{}", self.code.name),
            "title": self.code.title,
            "status": self.code.status,
            "detail": self.detail,
            "code": self.code.name,
            "request_id": request_id,
        });
        if !self.errors.is_empty()
            && let Ok(errors) = serde_json::to_value(&self.errors)
            && let Some(map) = document.as_object_mut()
        {
            map.insert("errors".to_owned(), errors);
        }
        document
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Unknown(_) | StoreError::Fenced => {
                tracing::warn!(%error, "the store did not do what a request needed");
                Self::new(&codes::UNAVAILABLE, "The database is not available at this moment.").retry_after(1)
            }
            StoreError::Conflict(what) => Self::new(&codes::CONFLICT, format!("{what}.")),
            StoreError::TooManyWaiting => {
                let detail = format!("More than {MAX_REORDERED} deliveries wait here: `ordering` stays as it is.");
                Self::new(&codes::TOO_MANY_WAITING, detail)
            }
            StoreError::TooManyReplays => {
                let detail = format!("The tenant has {MAX_RUNNING} replays that run; more are not started.");
                Self::new(&codes::TOO_MANY_REPLAYS, detail)
            }
            StoreError::NotFound(what) => Self::not_found(what),
            StoreError::Damaged(_) => Self::internal(&error),
        }
    }
}

impl Problem {
    /// A defect: the cause goes to the log alone.
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed inside the host");
        Self::new(&codes::INTERNAL, "The host could not carry the request out.")
    }
}

impl From<railhead_vault::VaultError> for Problem {
    fn from(error: railhead_vault::VaultError) -> Self {
        Self::internal(&error)
    }
}
