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

/// A prefix and a template, read.
#[derive(Debug, PartialEq, Eq)]
pub struct KeyTemplate {
    pieces: Vec<Piece>,
    prefix: String,
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
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self { pieces, prefix })
    }

    /// A key, of what stands for each placeholder.
    pub fn render(&self, value: impl Fn(Placeholder) -> String) -> String {
        let mut key = self.prefix.clone();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => key.push_str(text),
                Piece::Placeholder(placeholder) => key.push_str(&value(*placeholder)),
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
        KeyTemplate::parse(prefix, template).unwrap().render(|placeholder| match placeholder {
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
        ] {
            assert_eq!(KeyTemplate::parse(prefix, template).unwrap_err().code, code, "{prefix} {template}");
        }
    }
}
