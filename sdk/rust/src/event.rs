//! What connectors ask of an event.

use crate::types::Event;
use serde::de::IgnoredAny;

/// The attribute in which the host hands over its own id of an event. It is not the publisher's, so it is not sent on.
const UID: &str = "railheaduid";

impl Event {
    /// The host's id of the event: the same at every attempt and replay, of the alphabet `[A-Za-z0-9_-]`, at most 128
    /// characters. What a destination should know duplicates by.
    pub fn uid(&self) -> &str {
        // A host of this contract always hands one over.
        self.attribute(UID).unwrap_or(&self.id)
    }

    /// An attribute of that name, in lower case.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The publisher's own attributes: all but the host's.
    pub fn extensions(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes.iter().filter(|(name, _)| name != UID).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// True if the data both is said to be JSON and is. What others have to parse is not built on a promise.
    pub fn is_json(&self) -> bool {
        self.says_json() && is_json(&self.data)
    }

    fn says_json(&self) -> bool {
        let media_type = self.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        media_type == "application/json" || media_type == "text/json" || media_type.ends_with("+json")
    }
}

fn is_json(data: &[u8]) -> bool {
    std::str::from_utf8(data).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn event(data: &[u8]) -> Event {
        Event {
            id: "ord_1".to_owned(),
            type_: "order.created".to_owned(),
            source: "/shop".to_owned(),
            time: "2026-01-01T00:00:00Z".to_owned(),
            subject: None,
            tenant: "acme".to_owned(),
            content_type: "application/json".to_owned(),
            attributes: vec![("railheaduid".to_owned(), "u1".to_owned()), ("region".to_owned(), "eu".to_owned())],
            data: data.to_vec(),
        }
    }

    #[test]
    fn the_hosts_id_is_no_extension() {
        let event = event(b"{}");
        assert_eq!(event.uid(), "u1");
        assert_eq!(event.extensions().collect::<Vec<_>>(), [("region", "eu")]);
    }

    #[test]
    fn json_is_what_says_so_and_is() {
        for (content_type, data, expected) in [
            ("application/json", "{}", true),
            ("Application/JSON; charset=utf-8", "1", true),
            ("application/vnd.x+json", "null", true),
            ("text/plain", "{}", false),
            ("application/json", "{", false),
            ("application/json", "", false),
        ] {
            let event = Event { content_type: content_type.to_owned(), ..event(data.as_bytes()) };
            assert_eq!(event.is_json(), expected, "{content_type} {data}");
        }
        assert!(!event(b"\"\xff\"").is_json());
    }
}
