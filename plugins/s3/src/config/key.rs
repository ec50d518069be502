//! The template of an object's key: `event_type={event_type}/dt={dt}/hour={hour}/part-{hash}.{extension}`.

use super::Unusable;

/// What a template may name, and what stands in the key for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// The events' type.
    EventType,
    /// The tenant whose events they are.
    Tenant,
    /// The UTC day, as 2026-01-31.
    Dt,
    /// Four digits.
    Year,
    /// Two digits.
    Month,
    /// Two digits.
    Day,
    /// Two digits, in UTC.
    Hour,
    /// What tells the object from all others: the same at every attempt.
    Hash,
    /// `ndjson`, `ndjson.gz` or `ndjson.zst`.
    Extension,
}

/// The closed set, by name.
const PLACEHOLDERS: [(&str, Placeholder); 9] = [
    ("event_type", Placeholder::EventType),
    ("tenant", Placeholder::Tenant),
    ("dt", Placeholder::Dt),
    ("year", Placeholder::Year),
    ("month", Placeholder::Month),
    ("day", Placeholder::Day),
    ("hour", Placeholder::Hour),
    ("hash", Placeholder::Hash),
    ("extension", Placeholder::Extension),
];

/// A piece of a template.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    Placeholder(Placeholder),
}

/// Bytes that a key may have (Amazon S3 User Guide, "Naming Amazon S3 objects").
const MAX_KEY: usize = 1024;

/// Bytes between two slashes, where a store keeps objects as files.
const MAX_SEGMENT: usize = 255;

/// Bytes of `{hash}`.
const MAX_HASH: usize = 96;

/// What a template leaves to each value of an event at least: room for a mark, and for some of the value before it.
const MIN_VALUE: usize = 64;

impl Placeholder {
    /// Bytes of its value at most; none where an event decides.
    const fn bytes(self) -> Option<usize> {
        match self {
            Self::EventType | Self::Tenant => None,
            Self::Dt | Self::Extension => Some(10),
            Self::Year => Some(4),
            Self::Month | Self::Day | Self::Hour => Some(2),
            Self::Hash => Some(MAX_HASH),
        }
    }
}

/// A prefix and a template, read.
#[derive(Debug, PartialEq, Eq)]
pub struct KeyTemplate {
    pieces: Vec<Piece>,
    prefix: String,
    /// Bytes that each value of an event may have, so that no key and no segment of one is too long.
    room: usize,
}

impl KeyTemplate {
    /// Reads both. The prefix ends in a slash afterwards, unless it is empty.
    pub fn parse(prefix: &str, template: &str) -> Result<Self, Unusable> {
        let pieces = pieces(template)?;
        let hashes = pieces.iter().filter(|piece| **piece == Piece::Placeholder(Placeholder::Hash)).count();
        if hashes != 1 {
            let message = "key: It must name {hash} once: without it, each object would take another one's place.";
            return Err(Unusable::new("key-without-hash", message));
        }
        let prefix = prefix.trim_end_matches('/');
        for (field, text) in [("prefix", prefix), ("key", template)] {
            check_path(field, text)?;
        }
        if template.ends_with('/') {
            let message = "key: It must not end in a slash: that would be a folder, and no object.";
            return Err(Unusable::new("key-path", message));
        }
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let room = room(&prefix, &pieces).filter(|room| *room >= MIN_VALUE).ok_or_else(|| {
            let message = format!(
                "prefix, key: Keys have at most {MAX_KEY} bytes, and {MAX_SEGMENT} between two slashes. With values for its \
                 placeholders there could be more. Set a shorter prefix or key."
            );
            Unusable::new("key-too-long", message)
        })?;
        Ok(Self { pieces, prefix, room })
    }

    /// A key. `value` is asked for what stands for each placeholder, and told how many bytes that may have.
    pub fn render(&self, value: impl Fn(Placeholder, usize) -> String) -> String {
        let mut key = self.prefix.clone();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => key.push_str(text),
                Piece::Placeholder(placeholder) => {
                    key.push_str(&value(*placeholder, placeholder.bytes().unwrap_or(self.room)));
                }
            }
        }
        key
    }

    /// The key of an object that is no batch of events.
    pub fn beside(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

fn pieces(template: &str) -> Result<Vec<Piece>, Unusable> {
    let (mut pieces, mut rest) = (Vec::new(), template);
    while let Some(at) = rest.find(['{', '}']) {
        let (text, tail) = rest.split_at(at);
        let name = tail.strip_prefix('{').and_then(|tail| tail.split_once('}'));
        let known = name.and_then(|(name, rest)| {
            let (_, placeholder) = PLACEHOLDERS.iter().find(|(known, _)| *known == name)?;
            Some((*placeholder, rest))
        });
        let Some((placeholder, after)) = known else {
            let names: Vec<_> = PLACEHOLDERS.iter().map(|(name, _)| format!("{{{name}}}")).collect();
            let message = format!("key: What stands in braces must be one of {}.", names.join(", "));
            return Err(Unusable::new("key-placeholder", message));
        };
        pieces.extend((!text.is_empty()).then(|| Piece::Text(text.to_owned())));
        pieces.push(Piece::Placeholder(placeholder));
        rest = after;
    }
    pieces.extend((!rest.is_empty()).then(|| Piece::Text(rest.to_owned())));
    Ok(pieces)
}

/// Bytes that each value of an event may have; none where all else alone is too long.
fn room(prefix: &str, pieces: &[Piece]) -> Option<usize> {
    let (mut key, mut segment, mut rooms) = (Room::of(MAX_KEY), Room::of(MAX_SEGMENT), Vec::new());
    for piece in [Piece::Text(prefix.to_owned())].iter().chain(pieces) {
        match piece {
            Piece::Text(text) => {
                for part in text.split_inclusive('/') {
                    key.take(Some(part.len()));
                    segment.take(Some(part.trim_end_matches('/').len()));
                    if part.ends_with('/') {
                        rooms.push(std::mem::replace(&mut segment, Room::of(MAX_SEGMENT)));
                    }
                }
            }
            Piece::Placeholder(placeholder) => {
                key.take(placeholder.bytes());
                segment.take(placeholder.bytes());
            }
        }
    }
    rooms.extend([segment, key]);
    rooms.iter().map(Room::each).min().flatten()
}

/// What is left of a key or of a segment, and how many values of events share it.
struct Room {
    left: Option<usize>,
    values: usize,
}

impl Room {
    const fn of(bytes: usize) -> Self {
        Self { left: Some(bytes), values: 0 }
    }

    fn take(&mut self, bytes: Option<usize>) {
        match bytes {
            Some(bytes) => self.left = self.left.and_then(|left| left.checked_sub(bytes)),
            None => self.values += 1,
        }
    }

    fn each(&self) -> Option<usize> {
        self.left.map(|left| left.checked_div(self.values).unwrap_or(usize::MAX))
    }
}

/// Clients on the way resolve `.` and `..` and join empty segments: the object would be another one than was signed.
fn check_path(field: &str, text: &str) -> Result<(), Unusable> {
    if text.split('/').any(|segment| matches!(segment, "." | "..")) || text.starts_with('/') || text.contains("//") {
        let message = format!("{field}: It must not begin with a slash, nor have empty segments, `.` or `..` in it.");
        return Err(Unusable::new("key-path", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{KeyTemplate, Placeholder};

    fn render(prefix: &str, template: &str) -> String {
        KeyTemplate::parse(prefix, template).unwrap().render(|placeholder, _| match placeholder {
            Placeholder::EventType => "order.created".to_owned(),
            Placeholder::Hash => "h1".to_owned(),
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn placeholders_stand_for_values() {
        assert_eq!(
            render("in/", "event_type={event_type}/dt={dt}/hour={hour}/part-{hash}.{extension}"),
            "in/event_type=order.created/dt=Dt/hour=Hour/part-h1.Extension"
        );
        assert_eq!(render("", "{year}{month}{day}/{tenant}-{hash}"), "YearMonthDay/Tenant-h1");
        assert_eq!(render("a/b", "{hash}"), "a/b/h1");
        assert_eq!(KeyTemplate::parse("a/", "{hash}").unwrap().beside(".check"), "a/.check");
        assert_eq!(KeyTemplate::parse("", "{hash}").unwrap().beside(".check"), ".check");
    }

    #[test]
    fn what_would_lose_objects_is_refused() {
        for (prefix, template, code) in [
            ("", "part", "key-without-hash"),
            ("", "{hash}{hash}", "key-without-hash"),
            ("", "{hash}/{uuid}", "key-placeholder"),
            ("", "{hash", "key-placeholder"),
            ("", "hash}", "key-placeholder"),
            ("", "{{hash}}", "key-placeholder"),
            ("", "/{hash}", "key-path"),
            ("", "a//{hash}", "key-path"),
            ("", "../{hash}", "key-path"),
            ("a/../b", "{hash}", "key-path"),
            ("/a", "{hash}", "key-path"),
            ("", "{hash}/", "key-path"),
            ("a", "{hash}/{event_type}/", "key-path"),
        ] {
            assert_eq!(KeyTemplate::parse(prefix, template).unwrap_err().code, code, "{prefix} {template}");
        }
    }

    #[test]
    fn a_template_that_leaves_no_room_for_values_is_refused() {
        let (part, many) = ("a".repeat(255), "{event_type}".repeat(3));
        for (prefix, template, fits) in [
            (part.clone(), "{hash}".to_owned(), true),
            (format!("{part}a"), "{hash}".to_owned(), false),
            (String::new(), format!("{}{{hash}}", &part[..159]), true),
            (String::new(), format!("{}{{hash}}", &part[..160]), false),
            (String::new(), format!("{}{{event_type}}/{{hash}}", &part[..191]), true),
            (String::new(), format!("{}{{event_type}}/{{hash}}", &part[..192]), false),
            (String::new(), format!("{many}/{{hash}}"), true),
            (String::new(), format!("{many}{{tenant}}/{{hash}}"), false),
            (part.clone(), format!("{part}/{part}/{{hash}}"), true),
            (part.clone(), format!("{part}/{part}/{{event_type}}/{{hash}}"), true),
            (part.clone(), format!("{part}/{part}/{{event_type}}/{{tenant}}/{{event_type}}/{{hash}}"), false),
            (part.clone(), format!("{part}/{part}/{part}/{{hash}}"), false),
        ] {
            let parsed = KeyTemplate::parse(&prefix, &template);
            assert_eq!(parsed.as_ref().err().map(|error| error.code), (!fits).then_some("key-too-long"), "{template}");
            let Ok(template) = parsed else { continue };
            let longest = template.render(|_, room| "x".repeat(room.min(2_000)));
            assert!(longest.len() <= 1024 && longest.split('/').all(|segment| segment.len() <= 255), "{longest}");
        }
    }
}
