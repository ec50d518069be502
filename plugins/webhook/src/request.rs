//! What is sent for one event: headers and body, without the secrets. Pure: the same event, the same request.

pub mod batch;

use crate::config::{Config, Mode};
use railhead_sdk::credentials::Part;
use railhead_sdk::parts::bytes;
use railhead_sdk::types::Event;
use serde_json::{Value, json};
use std::fmt::Write;

pub const USER_AGENT: &str = concat!("Railhead/", env!("CARGO_PKG_VERSION"));

/// A request but for its URL, its secrets and its signatures.
#[derive(Debug, PartialEq)]
pub struct Plan {
    /// What is signed and what receivers know duplicates by.
    pub id: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<Part<'static>>,
}

/// Plans the request for an event; `index` is its own in the call.
pub fn plan(config: &Config, index: u32, event: &Event, traceparent: Option<&str>) -> Plan {
    let id = message_id(event);
    let (content_type, body) = match config.mode {
        Mode::Standard => ("application/json", standard_body(index, event)),
        Mode::Raw => (event.content_type.as_str(), data_alone(index, event)),
        Mode::CloudeventsStructured => ("application/cloudevents+json", cloudevents_body(index, event)),
        Mode::CloudeventsBinary => (event.content_type.as_str(), data_alone(index, event)),
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
fn message_id(event: &Event) -> String {
    match [event.id.as_str(), event.uid()].into_iter().find(|id| is_message_id(id)) {
        Some(id) => id.to_owned(),
        // A host of this contract always hands one over; the publisher's bytes in another alphabet are as unique.
        None => spelled(&event.id),
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

fn data_alone(index: u32, event: &Event) -> Vec<Part<'static>> {
    if event.data.is_empty() { Vec::new() } else { vec![Part::EventData(index)] }
}

/// `{"type", "timestamp", "data"}`; what is not JSON goes as `data_base64`, what is empty as null.
fn standard_body(index: u32, event: &Event) -> Vec<Part<'static>> {
    let head = format!(r#"{{"type":{},"timestamp":{}"#, quoted(&event.type_), quoted(&event.time));
    if event.data.is_empty() {
        return vec![bytes(head + r#","data":null}"#)];
    }
    with_data(head, index, event)
}

/// The JSON event format of CloudEvents 1.0.
fn cloudevents_body(index: u32, event: &Event) -> Vec<Part<'static>> {
    let mut envelope: Value = json!({"specversion": "1.0"});
    for (name, value) in cloudevents_attributes(event) {
        envelope[name] = value.into();
    }
    if !event.data.is_empty() {
        envelope["datacontenttype"] = event.content_type.as_str().into();
    }
    let mut head = envelope.to_string();
    if event.data.is_empty() {
        return vec![bytes(head)];
    }
    // The closing brace comes after the data.
    head.pop();
    with_data(head, index, event)
}

/// Ends an object with the data: its own bytes where they are JSON.
fn with_data(head: String, index: u32, event: &Event) -> Vec<Part<'static>> {
    if event.is_json() {
        return vec![bytes(head + r#","data":"#), Part::EventData(index), bytes("}")];
    }
    vec![bytes(head + r#","data_base64":""#), Part::EventDataBase64(index), bytes(r#""}"#)]
}

/// The binary mode of the HTTP binding of CloudEvents 1.0. There `content-type` is `datacontenttype`.
fn cloudevents_headers(event: &Event) -> Vec<(String, String)> {
    let mut headers = vec![("ce-specversion".to_owned(), "1.0".to_owned())];
    for (name, value) in cloudevents_attributes(event) {
        headers.push((format!("ce-{name}"), percent_encoded(value)));
    }
    headers
}

/// Context attributes, extensions too, but for `specversion` and `datacontenttype`.
fn cloudevents_attributes(event: &Event) -> impl Iterator<Item = (&str, &str)> {
    let core = [("id", &event.id), ("source", &event.source), ("type", &event.type_), ("time", &event.time)];
    let subject = event.subject.as_deref().map(|subject| ("subject", subject));
    core.into_iter()
        .map(|(name, value)| (name, value.as_str()))
        .chain(subject)
        .chain([("tenant", event.tenant.as_str())])
        .chain(event.extensions().filter(|(name, _)| is_extension(name)))
}

/// Names as CloudEvents has them, that are not one of the envelope's own.
fn is_extension(name: &str) -> bool {
    const TAKEN: [&str; 10] =
        ["data", "data_base64", "datacontenttype", "id", "source", "specversion", "subject", "tenant", "time", "type"];
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
