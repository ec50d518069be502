//! What is asked of an event, read once.

use railhead_model::{Event, Ordering};
use serde_json::Value;
use std::cell::OnceCell;

/// An event with its payload parsed at most once, and only if somebody asks.
pub struct Facts<'a> {
    /// The event.
    pub event: &'a Event,
    data: OnceCell<Option<Value>>,
    attributes: OnceCell<Value>,
}

impl<'a> Facts<'a> {
    /// Nothing is parsed yet.
    #[must_use]
    pub const fn new(event: &'a Event) -> Self {
        Self { event, data: OnceCell::new(), attributes: OnceCell::new() }
    }

    /// The payload as JSON; `None` if it is not JSON.
    pub fn data(&self) -> Option<&Value> {
        self.data.get_or_init(|| serde_json::from_slice(&self.event.data).ok()).as_ref()
    }

    /// The extension attributes, as a JSON object of texts.
    pub(crate) fn attributes(&self) -> &Value {
        self.attributes.get_or_init(|| {
            let attributes = self.event.head.attributes.iter();
            attributes.map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect()
        })
    }
}

/// The value that decides an event's lane: `None` where the destination keeps no order.
///
/// A payload without the key, or that is not JSON, goes to the lane of the empty value: order is kept, never guessed.
#[must_use]
pub fn lane_value(ordering: &Ordering, facts: &Facts<'_>) -> Option<Vec<u8>> {
    match ordering {
        Ordering::None => None,
        Ordering::Destination => Some(Vec::new()),
        Ordering::Key(pointer) => {
            let value = facts.data().and_then(|data| data.pointer(pointer));
            Some(value.map(|value| value.to_string().into_bytes()).unwrap_or_default())
        }
    }
}

#[cfg(test)]
pub(crate) fn event(event_type: &str, data: &str) -> Event {
    use railhead_model::{EventUid, Timestamp};
    Event {
        uid: EventUid::new(Timestamp(1_700_000_000_000), [1; 10]),
        id: "e1".into(),
        event_type: event_type.into(),
        accepted_at: Timestamp(1_700_000_000_000),
        head: railhead_model::event::Head {
            source: "/shop".into(),
            subject: Some("order-7".into()),
            attributes: [("region".to_owned(), "eu".to_owned())].into(),
            content_type: "application/json".into(),
            ..Default::default()
        },
        data: data.to_owned().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_the_value_at_the_pointer() {
        let event = event("t", r#"{"a": {"b": [1, "x"]}}"#);
        let lane = |ordering: Ordering| lane_value(&ordering, &Facts::new(&event));
        assert_eq!(lane(Ordering::None), None);
        assert_eq!(lane(Ordering::Destination), Some(vec![]));
        assert_eq!(lane(Ordering::Key("/a/b/1".into())), Some(br#""x""#.to_vec()));
        assert_eq!(lane(Ordering::Key("/missing".into())), Some(vec![]));
    }
}
