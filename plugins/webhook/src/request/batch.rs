//! What is sent for a batch: one JSON array of what each event's body would be.

use super::{Plan, cloudevents_body, common_headers, is_message_id, spelled, standard_body};
use crate::config::{Config, Mode};
use railhead_sdk::credentials::Part;
use railhead_sdk::parts::bytes;
use railhead_sdk::types::Event;

/// True if events of this mode can stand in an array: where the envelope is in headers, each needs a request.
pub fn is_batchable(mode: Mode) -> bool {
    mode != Mode::CloudeventsBinary
}

/// The element for one event; none where it is not JSON and nothing wraps it.
pub fn element(mode: Mode, index: u32, event: &Event) -> Option<Vec<Part<'static>>> {
    match mode {
        Mode::Standard => Some(standard_body(index, event)),
        Mode::CloudeventsStructured => Some(cloudevents_body(index, event)),
        Mode::Raw | Mode::CloudeventsBinary => event.is_json().then(|| vec![Part::EventData(index)]),
    }
}

/// The request but for secrets and signatures. `batch_id` is the host's, the same at every attempt.
pub fn plan(config: &Config, batch_id: &str, elements: Vec<Vec<Part<'static>>>) -> Plan {
    let id = if is_message_id(batch_id) { batch_id.to_owned() } else { spelled(batch_id) };
    let content_type = match config.mode {
        Mode::CloudeventsStructured => "application/cloudevents-batch+json",
        Mode::Standard | Mode::Raw | Mode::CloudeventsBinary => "application/json",
    };
    let mut headers = common_headers(config, &id, content_type);
    headers.push((format!("{}batch-size", config.header_prefix), elements.len().to_string()));
    headers.extend(config.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
    let mut body = vec![bytes("[")];
    for (number, element) in elements.into_iter().enumerate() {
        if number > 0 {
            body.push(bytes(","));
        }
        body.extend(element);
    }
    body.push(bytes("]"));
    Plan { id, headers, body }
}
