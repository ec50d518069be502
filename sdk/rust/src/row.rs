//! An event as a row: the same shape in every table and in every file.
//!
//! | column | |
//! |---|---|
//! | `event_id` | the host's id, what duplicates are known by |
//! | `id` | the publisher's id |
//! | `event_type`, `occurred_at`, `tenant`, `source` | as published; `occurred_at` is RFC 3339 |
//! | `payload` | the data. JSON as it is; what is not JSON a string in base64; null where there is none |
//! | `metadata` | an object: `content_type`, `subject` and `attributes` where there are any, and `payload_encoding`: `"base64"` where the payload is such a string |
//! | `received_at` | when the host accepted the event, RFC 3339: the same at every attempt and replay, so that a retry writes the same row |

use crate::credentials::Part;
use crate::types::Event;
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// The columns, in order.
pub const COLUMNS: [&str; 9] =
    ["event_id", "id", "event_type", "occurred_at", "tenant", "source", "payload", "metadata", "received_at"];

/// A row as a JSON object on one line, without a line end: for files of newline-delimited JSON. `index`: the event's in the
/// call. `accepted_ms`: [`crate::host::Call::accepted_ms`] of it. Not the time of the call: under one identity a retry would
/// then send other bytes.
pub fn json(index: u32, event: &Event, accepted_ms: u64) -> Vec<Part<'static>> {
    let payload = Payload::of(event);
    let mut head = String::from("{");
    for (column, value) in [
        ("event_id", event.uid()),
        ("id", &event.id),
        ("event_type", &event.type_),
        ("occurred_at", &event.time),
        ("tenant", &event.tenant),
        ("source", &event.source),
    ] {
        let _ = write!(head, "\"{column}\":{},", Value::from(value));
    }
    head.push_str("\"payload\":");
    let metadata = payload.metadata(event);
    let tail = format!(",\"metadata\":{metadata},\"received_at\":\"{}\"}}", timestamp(accepted_ms));
    payload.between(index, event, head.into_bytes(), tail.into_bytes())
}

/// The payload as JSON on one line.
///
/// Data that is JSON on one line goes as the event's own. Where it has line breaks, they are written as spaces: between
/// JSON's tokens both mean the same, and within a string there are none.
pub fn payload(index: u32, event: &Event) -> Vec<Part<'static>> {
    Payload::of(event).between(index, event, Vec::new(), Vec::new())
}

/// The metadata as a JSON object on one line.
pub fn metadata(event: &Event) -> String {
    Payload::of(event).metadata(event)
}

/// RFC 3339 in UTC, with milliseconds.
///
/// Days to a date by Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html#civil_from_days>).
pub fn timestamp(ms: u64) -> String {
    let (days, of_day) = (ms / 86_400_000, ms % 86_400_000);
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", of_day % 1_000)
}

/// How an event's data stands in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Payload {
    None,
    Json,
    JsonOfLines,
    Base64,
}

impl Payload {
    fn of(event: &Event) -> Self {
        if event.data.is_empty() {
            Self::None
        } else if !event.is_json() {
            Self::Base64
        } else if event.data.iter().any(|byte| is_line_break(*byte)) {
            Self::JsonOfLines
        } else {
            Self::Json
        }
    }

    fn between(self, index: u32, event: &Event, mut before: Vec<u8>, mut after: Vec<u8>) -> Vec<Part<'static>> {
        let data = match self {
            Self::Json => Part::EventData(index),
            Self::Base64 => {
                before.push(b'"');
                after.insert(0, b'"');
                Part::EventDataBase64(index)
            }
            Self::None => {
                before.extend_from_slice(b"null");
                before.append(&mut after);
                return vec![Part::Bytes(before)];
            }
            Self::JsonOfLines => {
                before.extend(event.data.iter().map(|&byte| if is_line_break(byte) { b' ' } else { byte }));
                before.append(&mut after);
                return vec![Part::Bytes(before)];
            }
        };
        let mut parts = vec![Part::Bytes(before), data, Part::Bytes(after)];
        parts.retain(|part| !matches!(part, Part::Bytes(bytes) if bytes.is_empty()));
        parts
    }

    fn metadata(self, event: &Event) -> String {
        let mut metadata = json!({"content_type": event.content_type});
        if let Some(subject) = &event.subject {
            metadata["subject"] = subject.as_str().into();
        }
        let attributes: Map<_, _> = event.extensions().map(|(name, value)| (name.to_owned(), value.into())).collect();
        if !attributes.is_empty() {
            metadata["attributes"] = attributes.into();
        }
        if self == Self::Base64 {
            metadata["payload_encoding"] = "base64".into();
        }
        metadata.to_string()
    }
}

const fn is_line_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::event;
    use crate::parts::joined;

    fn row(event: Event) -> (String, Value) {
        let parts = json(0, &event, 1_767_225_600_123);
        let line = String::from_utf8(joined(&parts, &[event])).unwrap();
        let value = serde_json::from_str(&line).unwrap();
        (line, value)
    }

    #[test]
    fn a_row_has_the_columns_in_order() {
        let (line, value) = row(event(br#"{"a": 1.0}"#));
        let mut at = 0;
        for column in COLUMNS {
            at += line[at..].find(&format!("\"{column}\":")).expect(column);
        }
        assert_eq!(value["event_id"], "u1");
        assert_eq!(value["received_at"], "2026-01-01T00:00:00.123Z");
        assert_eq!(value["metadata"], json!({"content_type": "application/json", "attributes": {"region": "eu"}}));
        assert!(line.contains(r#""payload":{"a": 1.0},"#), "the very bytes: {line}");
    }

    #[test]
    fn data_on_one_line_is_the_events_own() {
        let event = event(b"{\"a\":\"\\n\"}");
        assert!(json(3, &event, 0).iter().any(|part| matches!(part, Part::EventData(3))));
        assert!(matches!(payload(3, &event)[..], [Part::EventData(3)]));
    }

    #[test]
    fn data_of_several_lines_is_written_on_one() {
        let (line, value) = row(event(b"{\r\n  \"a\": \"x\\ny\",\n  \"b\": [1,\n2]\n}\n"));
        assert!(!line.contains('\n') && !line.contains('\r'));
        assert_eq!(value["payload"], json!({"a": "x\ny", "b": [1, 2]}));
    }

    #[test]
    fn what_is_not_json_is_base64_and_says_so() {
        let (_, value) = row(Event { content_type: "text/plain".to_owned(), ..event(b"foob") });
        assert_eq!((&value["payload"], &value["metadata"]["payload_encoding"]), (&json!("Zm9vYg=="), &json!("base64")));
        let (_, value) = row(event(b""));
        assert_eq!((&value["payload"], value["metadata"].get("payload_encoding")), (&Value::Null, None));
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (ms, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (1_767_225_599_001, "2025-12-31T23:59:59.001Z"),
        ] {
            assert_eq!(timestamp(ms), expected);
        }
    }
}
