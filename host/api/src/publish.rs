//! The five forms of a publish, read into drafts.

mod envelope;
mod fields;
mod forms;

pub use envelope::Envelope;
pub use fields::Fields;
pub use forms::{Asked, form};

use crate::codes;
use crate::problem::{FieldError, Problem};
use bytes::Bytes;
use railhead_delivery::Draft;
use railhead_model::{TenantId, Timestamp};

/// What every event of a request is read with.
#[derive(Clone, Debug)]
pub struct Given {
    /// `?tenant=`.
    pub tenant: Option<String>,
    /// Whether the tenant may be one of the host's own: tests of its destinations alone.
    pub reserved: bool,
    /// The request's `traceparent`, if it is one.
    pub traceparent: Option<String>,
    /// Bytes of one payload at most.
    pub max_payload: usize,
}

/// Characters of an event's id.
pub const MAX_ID: usize = 256;
/// Characters of a type.
pub const MAX_TYPE: usize = 256;
/// Characters of source, subject, attribute values and the media type.
pub const MAX_TEXT: usize = 1_024;
/// Extension attributes of one event.
pub const MAX_ATTRIBUTES: usize = 32;

/// Checks an envelope and makes a draft of it.
///
/// # Errors
/// Every field that is wrong, or 413 for a payload above the limit.
pub fn draft(envelope: Envelope, given: &Given) -> Result<Draft, Problem> {
    let Envelope { mut errors, mut attributes, data, .. } = envelope;
    if let Some(data) = data.as_ref().filter(|data| data.len() > given.max_payload) {
        let detail = format!("The payload has {} bytes; at most {} are allowed.", data.len(), given.max_payload);
        let error = FieldError::new("/data", &codes::TOO_LARGE, detail);
        return Err(Problem::of_fields(&codes::TOO_LARGE, vec![error]));
    }
    let tenant = tenant(envelope.tenant.or_else(|| given.tenant.clone()), given.reserved, &mut errors);
    check_type(envelope.event_type.as_deref(), &mut errors);
    check_text("/id", envelope.id.as_deref(), MAX_ID, &mut errors);
    check_text("/source", envelope.source.as_deref(), MAX_TEXT, &mut errors);
    check_text("/subject", envelope.subject.as_deref(), MAX_TEXT, &mut errors);
    check_text("/datacontenttype", envelope.content_type.as_deref(), MAX_TEXT, &mut errors);
    check_time(envelope.time.as_deref(), &mut errors);
    if attributes.len() > MAX_ATTRIBUTES {
        let detail = format!("Expected at most {MAX_ATTRIBUTES} attributes.");
        errors.push(FieldError::new("/attributes", &codes::INVALID_VALUE, detail));
    }
    let traceparent = attributes.remove("traceparent").filter(|text| is_traceparent(text));
    match (errors.is_empty(), tenant, envelope.event_type) {
        (true, Some(tenant), Some(event_type)) => Ok(Draft {
            tenant,
            id: envelope.id,
            event_type,
            time: envelope.time,
            source: envelope.source,
            subject: envelope.subject,
            attributes,
            content_type: envelope.content_type.unwrap_or_else(|| "application/json".to_owned()),
            // An event without data is JSON's null: every mode of delivery has a body to send.
            data: data.unwrap_or(Bytes::from_static(b"null")),
            traceparent: traceparent.or_else(|| given.traceparent.clone()),
        }),
        _ => Err(Problem::of_fields(&codes::INVALID_EVENT, errors)),
    }
}

fn tenant(text: Option<String>, reserved: bool, errors: &mut Vec<FieldError>) -> Option<TenantId> {
    let Some(text) = text else {
        errors.push(FieldError::new("/tenant", &codes::REQUIRED, "Name the tenant here or in `?tenant=`."));
        return None;
    };
    match text.parse::<TenantId>() {
        Ok(tenant) if tenant.is_reserved() && !reserved => {
            let detail = "Tenants whose ids begin with `_` get the host's own events only.";
            errors.push(FieldError::new("/tenant", &codes::INVALID_VALUE, detail));
            None
        }
        Ok(tenant) => Some(tenant),
        Err(error) => {
            errors.push(FieldError::new("/tenant", &codes::INVALID_VALUE, format!("{error}.")));
            None
        }
    }
}

/// True for names of event types: visible, without spaces or `*`.
#[must_use]
pub fn is_type(text: &str) -> bool {
    (1..=MAX_TYPE).contains(&text.chars().count())
        && !text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '*')
}

fn check_type(text: Option<&str>, errors: &mut Vec<FieldError>) {
    match text {
        None => {
            if !errors.iter().any(|error| error.pointer == "/type") {
                errors.push(FieldError::new(
                    "/type",
                    &codes::REQUIRED,
                    "An event has a type, such as `order.created`.",
                ));
            }
        }
        Some(text) if !is_type(text) => {
            let detail = format!("Expected 1 to {MAX_TYPE} characters without spaces and `*`.");
            errors.push(FieldError::new("/type", &codes::INVALID_VALUE, detail));
        }
        Some(_) => {}
    }
}

fn check_text(pointer: &str, text: Option<&str>, most: usize, errors: &mut Vec<FieldError>) {
    let fits = |text: &str| (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if text.is_some_and(|text| !fits(text)) {
        let detail = format!("Expected 1 to {most} characters, no control characters.");
        errors.push(FieldError::new(pointer, &codes::INVALID_VALUE, detail));
    }
}

fn check_time(text: Option<&str>, errors: &mut Vec<FieldError>) {
    if text.is_some_and(|text| text.len() > 64 || Timestamp::parse(text).is_err()) {
        let detail = "Expected a time as in 2026-01-31T12:00:00Z (RFC 3339).";
        errors.push(FieldError::new("/time", &codes::INVALID_VALUE, detail));
    }
}

/// `00-<32 hex>-<16 hex>-<2 hex>` (W3C Trace Context).
#[must_use]
pub fn is_traceparent(text: &str) -> bool {
    let lengths: Vec<_> = text.split('-').map(str::len).collect();
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b) || b == b'-';
    lengths == [2, 32, 16, 2] && text.bytes().all(hex) && !text.starts_with("ff")
}
