//! Filters of lists, from a form to the API and back into links.

use crate::foreign::encode;
use url::form_urlencoded;

/// Named values, each once, none empty.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(&'static str, String)>);

/// Characters of a value that are taken.
const MAX_VALUE: usize = 4_096;

impl Query {
    /// Takes the known names out of a query string or a form; an empty field is one that was not filled in.
    #[must_use]
    pub fn parse(text: &[u8], known: &[&'static str]) -> Self {
        let mut pairs: Vec<(&'static str, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(text) {
            let Some(name) = known.iter().find(|known| **known == name) else { continue };
            let value = value.trim();
            if !value.is_empty() && value.len() <= MAX_VALUE && !pairs.iter().any(|(own, _)| own == name) {
                pairs.push((name, value.to_owned()));
            }
        }
        Self(pairs)
    }

    /// A value; empty if there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(own, _)| *own == name).map_or("", |(_, value)| value)
    }

    /// All values as the API takes them: a form's local time becomes one of UTC.
    #[must_use]
    pub fn for_api(&self) -> Vec<(&'static str, String)> {
        let value = |name: &str, value: &str| match name {
            "since" | "until" => utc(value),
            _ => value.to_owned(),
        };
        self.0.iter().map(|(name, text)| (*name, value(name, text))).collect()
    }

    /// The query string of the same list from another place on.
    #[must_use]
    pub fn at(&self, cursor: &str) -> String {
        let filters = self.0.iter().filter(|(name, _)| *name != "cursor").map(|(name, value)| (*name, value.as_str()));
        let all = filters.chain((!cursor.is_empty()).then_some(("cursor", cursor)));
        let pairs: Vec<_> = all.map(|(name, value)| format!("{name}={}", encode(value))).collect();
        if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
    }

    /// Whether anything but the place in the list is asked for.
    #[must_use]
    pub fn filters(&self) -> bool {
        self.0.iter().any(|(name, _)| *name != "cursor")
    }
}

/// `2026-11-23T15:04` of a form is a time of UTC, as all times of these pages are.
fn utc(value: &str) -> String {
    match value.len() {
        10 => format!("{value}T00:00:00Z"),
        16 => format!("{value}:00Z"),
        19 | 23 if !value.ends_with('Z') => format!("{value}Z"),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_fields_that_are_filled_in_are_taken_once() {
        let query = Query::parse(
            b"state=dead&code=&x=1&state=pending&since=2026-11-23T15%3A04&cursor=c",
            &["state", "code", "since", "cursor"],
        );
        assert_eq!((query.get("state"), query.get("code"), query.filters()), ("dead", "", true));
        assert_eq!(query.for_api()[1], ("since", "2026-11-23T15:04:00Z".to_owned()));
        assert_eq!(query.at("a b&"), "?state=dead&since=2026-11-23T15%3A04&cursor=a%20b%26");
        assert_eq!(query.at(""), "?state=dead&since=2026-11-23T15%3A04");
        assert_eq!(Query::parse(b"cursor=c", &["cursor"]).at(""), "");
    }
}
