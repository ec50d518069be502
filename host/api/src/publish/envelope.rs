//! One event's envelope, read from JSON or from headers and not yet checked for lengths.

use super::fields::Fields;
use crate::codes;
use crate::problem::FieldError;
use bytes::Bytes;
use http::HeaderMap;
use std::collections::BTreeMap;

/// See the module. `errors` holds what was wrong with the form so far.
#[derive(Clone, Debug, Default)]
pub struct Envelope {
    /// The vendor's id.
    pub id: Option<String>,
    /// `order.created`.
    pub event_type: Option<String>,
    /// CloudEvents `source`.
    pub source: Option<String>,
    /// CloudEvents `time`.
    pub time: Option<String>,
    /// CloudEvents `subject`.
    pub subject: Option<String>,
    /// Whose.
    pub tenant: Option<String>,
    /// Media type of the data.
    pub content_type: Option<String>,
    /// Extension attributes.
    pub attributes: BTreeMap<String, String>,
    /// The payload's bytes as they came.
    pub data: Option<Bytes>,
    /// Wrong fields.
    pub errors: Vec<FieldError>,
}

const PLAIN: &str = "Known: `tenant`, `type`, `data`, `id`, `time`, `source`, `subject`, `attributes`, `data_base64`, \
                     `datacontenttype`.";

impl Envelope {
    /// An event of ours: unknown fields are refused.
    pub fn plain(mut fields: Fields<'_>) -> Self {
        let mut own = Self::common(&mut fields);
        own.attributes = fields.attributes();
        if own.data.is_none() {
            fields.error("data", &codes::REQUIRED, "Give the payload in `data`, or in `data_base64`.");
        }
        fields.refuse_rest(PLAIN);
        own.errors = fields.errors;
        own
    }

    /// A CloudEvent in JSON: other valid names are extension attributes.
    pub fn cloudevent(mut fields: Fields<'_>) -> Self {
        let version = fields.text("specversion");
        let mut own = Self::common(&mut fields);
        own.attributes = fields.rest_as_attributes();
        own.errors = fields.errors;
        own.require_cloudevent(version.as_deref());
        own
    }

    /// A CloudEvent in binary mode: attributes are `ce-` headers, the body is the data.
    pub fn binary(headers: &HeaderMap, body: Bytes) -> Self {
        let mut own = Self { data: Some(body), ..Self::default() };
        let mut version = None;
        for (name, value) in headers {
            let Some(name) = name.as_str().strip_prefix("ce-") else { continue };
            let Some(value) = std::str::from_utf8(value.as_bytes()).ok().and_then(percent_decode) else {
                let detail = "Expected UTF-8, percent-encoded where it is not visible ASCII.";
                own.errors.push(FieldError::new(format!("/{name}"), &codes::INVALID_VALUE, detail));
                continue;
            };
            match name {
                "specversion" => version = Some(value),
                "id" => own.id = Some(value),
                "type" => own.event_type = Some(value),
                "source" => own.source = Some(value),
                "time" => own.time = Some(value),
                "subject" => own.subject = Some(value),
                "tenant" => own.tenant = Some(value),
                _ => own.attribute(name, value),
            }
        }
        own.content_type = headers
            .get(http::header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .map(|value| value.trim().to_owned());
        own.require_cloudevent(version.as_deref());
        own
    }

    fn common(fields: &mut Fields<'_>) -> Self {
        let content_type = fields.text("datacontenttype");
        let data = fields.data(content_type.as_deref());
        Self {
            id: fields.text("id"),
            event_type: fields.text("type"),
            source: fields.text("source"),
            time: fields.text("time"),
            subject: fields.text("subject"),
            tenant: fields.text("tenant"),
            content_type,
            data,
            ..Self::default()
        }
    }

    fn attribute(&mut self, name: &str, value: String) {
        match super::fields::check_attribute(name, &value) {
            Ok(()) => _ = self.attributes.insert(name.to_owned(), value),
            Err(detail) => self.errors.push(FieldError::new(format!("/{name}"), &codes::INVALID_VALUE, detail)),
        }
    }

    fn require_cloudevent(&mut self, version: Option<&str>) {
        if version != Some("1.0") {
            let code = if version.is_some() { &codes::INVALID_VALUE } else { &codes::REQUIRED };
            self.errors.push(FieldError::new("/specversion", code, "Expected \"1.0\"."));
        }
        for (name, missing) in [("id", self.id.is_none()), ("source", self.source.is_none())] {
            let pointer = format!("/{name}");
            if missing && !self.errors.iter().any(|error| error.pointer == pointer) {
                self.errors.push(FieldError::new(pointer, &codes::REQUIRED, "A CloudEvent has this attribute."));
            }
        }
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let (high, low) = (char::from(bytes.next()?).to_digit(16)?, char::from(bytes.next()?).to_digit(16)?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(out).ok()
}
