//! Events to hand over.

use bytes::Bytes;
use railhead_model::event::Head;
use railhead_model::{Event, EventUid, Timestamp};

/// When events of tests were accepted: the same in all runs.
const ACCEPTED: Timestamp = Timestamp(1_767_225_600_000);

/// An event of JSON data: `ord_1` of type `order.created`.
#[must_use]
pub fn event(data: &[u8]) -> Event {
    numbered(1, data)
}

/// The same with a number, which its ids hold: `ord_2`.
#[must_use]
pub fn numbered(number: u8, data: &[u8]) -> Event {
    Event {
        uid: EventUid::new(ACCEPTED, [number; 10]),
        id: format!("ord_{number}"),
        event_type: "order.created".to_owned(),
        accepted_at: ACCEPTED,
        head: Head {
            source: "/shop".to_owned(),
            time: "2026-01-01T00:00:00.000Z".to_owned(),
            content_type: "application/json".to_owned(),
            ..Head::default()
        },
        data: Bytes::copy_from_slice(data),
    }
}

/// So many different ones, with data of their own: `{"order":1}`.
#[must_use]
pub fn events(count: u8) -> Vec<Event> {
    (1..=count).map(|number| numbered(number, format!("{{\"order\":{number}}}").as_bytes())).collect()
}
