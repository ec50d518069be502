//! What is sent for one event: headers and body, without the secrets. Pure: the same event, the same request.

pub mod batch;

use crate::config::{Config, Mode};
use serde_json::{Value, json};
use std::fmt::Write;

/// The attribute in which the host hands over its own id of an event. It is not the publisher's, so it is not sent on.
const UID_ATTRIBUTE: &str = "railheaduid";

pub const USER_AGENT: &str = concat!("Railhead/", env!("CARGO_PKG_VERSION"));

/// What a request reads of an event.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Its index in the call: by it the host puts the data in.
    pub index: u32,
    pub id: &'a str,
    pub event_type: &'a str,
    pub source: &'a str,
    pub time: &'a str,
    pub subject: Option<&'a str>,
    pub tenant: &'a str,
    pub content_type: &'a str,
    pub attributes: &'a [(String, String)],
    pub data: &'a [u8],
}

/// A piece of a body.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    Bytes(Vec<u8>),
    /// The data of the event with this index: the host puts it in, so its bytes are exact.
    Data(u32),
    /// The same in base64.
    DataBase64(u32),
}

/// A request but for its URL, its secrets and its signatures.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    /// What is signed and what receivers know duplicates by.
    pub id: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<Piece>,
}

/// Plans the request for an event.
pub fn plan(config: &Config, event: Event<'_>, traceparent: Option<&str>) -> Plan {
    let id = message_id(event);
    let (content_type, body) = match config.mode {
        Mode::Standard => ("application/json", standard_body(event)),
        Mode::Raw => (event.content_type, data_alone(event)),
        Mode::CloudeventsStructured => ("application/cloudevents+json", cloudevents_body(event)),
        Mode::CloudeventsBinary => (event.content_type, data_alone(event)),
    };
    let mut headers = common_headers(config, &id, content_type);
    headers.extend(traceparent.map(|value| ("traceparent".to_owned(), value.to_owned())));
    if config.mode == Mode::CloudeventsBinary {
        headers.extend(cloudevents_headers(event));
    }
    headers.extend(config.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
    Plan { id, headers, body }
}

fn common_headers(config: &Config, id: &str, content_type: &str) -> Vec<(String, String)> {
    let mut headers = vec![(format!("{}id", config.header_prefix), id.to_owned())];
    for (name, value) in [("user-agent", USER_AGENT), ("content-type", content_type)] {
        if config.header(name).is_none() && !value.is_empty() {
            headers.push((name.to_owned(), value.to_owned()));
        }
    }
    headers
}

/// The publisher's id where a header and a signature can carry it as it is, else the host's.
fn message_id(event: Event<'_>) -> String {
    if is_message_id(event.id) {
        return event.id.to_owned();
    }
    let uid = event.attributes.iter().find(|(name, _)| name == UID_ATTRIBUTE).map(|(_, value)| value.as_str());
    match uid {
        Some(uid) if is_message_id(uid) => uid.to_owned(),
        // A host of this contract always hands one over; the publisher's bytes in another alphabet are as unique.
        _ => spelled(event.id),
    }
}

/// The same in an alphabet that every header and signature can carry.
fn spelled(id: &str) -> String {
    id.bytes().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// A dot would end the id within what is signed.
fn is_message_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn data_alone(event: Event<'_>) -> Vec<Piece> {
    if event.data.is_empty() { Vec::new() } else { vec![Piece::Data(event.index)] }
}

/// `{"type", "timestamp", "data"}`; what is not JSON goes as `data_base64`, what is empty as null.
fn standard_body(event: Event<'_>) -> Vec<Piece> {
    let head = format!(r#"{{"type":{},"timestamp":{}"#, quoted(event.event_type), quoted(event.time));
    if event.data.is_empty() {
        return vec![Piece::Bytes((head + r#","data":null}"#).into_bytes())];
    }
    with_data(head, event)
}

/// The JSON event format of CloudEvents 1.0.
fn cloudevents_body(event: Event<'_>) -> Vec<Piece> {
    let mut envelope: Value = json!({"specversion": "1.0"});
    for (name, value) in cloudevents_attributes(event) {
        envelope[name] = value.into();
    }
    if !event.data.is_empty() {
        envelope["datacontenttype"] = event.content_type.into();
    }
    let mut head = envelope.to_string();
    if event.data.is_empty() {
        return vec![Piece::Bytes(head.into_bytes())];
    }
    // The closing brace comes after the data.
    head.pop();
    with_data(head, event)
}

/// Ends an object with the data: its own bytes where they are JSON.
fn with_data(head: String, event: Event<'_>) -> Vec<Piece> {
    if is_json(event) {
        return vec![
            Piece::Bytes((head + r#","data":"#).into_bytes()),
            Piece::Data(event.index),
            Piece::Bytes(b"}".to_vec()),
        ];
    }
    let head = head + r#","data_base64":""#;
    vec![Piece::Bytes(head.into_bytes()), Piece::DataBase64(event.index), Piece::Bytes(br#""}"#.to_vec())]
}

/// Both said to be JSON and so: a body that others have to parse is not built on a promise.
fn is_json(event: Event<'_>) -> bool {
    let media_type = event.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let says_so = media_type == "application/json" || media_type == "text/json" || media_type.ends_with("+json");
    says_so
        && std::str::from_utf8(event.data).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
}

/// The binary mode of the HTTP binding of CloudEvents 1.0. There `content-type` is `datacontenttype`.
fn cloudevents_headers(event: Event<'_>) -> Vec<(String, String)> {
    let mut headers = vec![("ce-specversion".to_owned(), "1.0".to_owned())];
    for (name, value) in cloudevents_attributes(event) {
        headers.push((format!("ce-{name}"), percent_encoded(value)));
    }
    headers
}

/// Context attributes, extensions too, but for `specversion` and `datacontenttype`.
fn cloudevents_attributes(event: Event<'_>) -> impl Iterator<Item = (&str, &str)> {
    let core = [("id", event.id), ("source", event.source), ("type", event.event_type), ("time", event.time)];
    let subject = event.subject.map(|subject| ("subject", subject));
    let extensions = event.attributes.iter().filter(|(name, _)| is_extension(name));
    core.into_iter()
        .chain(subject)
        .chain([("tenant", event.tenant)])
        .chain(extensions.map(|(name, value)| (name.as_str(), value.as_str())))
}

/// Names as CloudEvents has them, that are not one of the envelope's own.
fn is_extension(name: &str) -> bool {
    const TAKEN: [&str; 11] = [
        "data",
        "data_base64",
        "datacontenttype",
        "id",
        "source",
        "specversion",
        "subject",
        "tenant",
        "time",
        "type",
        UID_ATTRIBUTE,
    ];
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        && !TAKEN.contains(&name)
}

/// The HTTP binding, 3.1.3.2: all but printable ASCII, and of that space, `"` and `%`.
fn percent_encoded(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_graphic() && byte != b'"' && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests;
