//! Does an event go to a destination?

use crate::facts::Facts;
use crate::pattern::{Pattern, PatternError};
use railhead_model::Verdict;
use serde_json::Value;

/// A destination's subscription, compiled: event types, then the filter.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    types: Vec<TypePattern>,
    filter: Option<Pattern>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum TypePattern {
    All,
    /// `order.*`: what begins with `order.`, at any depth.
    Prefix(String),
    Exact(String),
}

/// Most event type patterns of one destination.
pub const MAX_TYPES: usize = 200;

impl Matcher {
    /// Compiles `event_types` (`order.*` is a prefix at any depth, `*` is all, none means all) and a filter.
    ///
    /// # Errors
    /// The pointer to what is wrong, from `/event_types` or `/filter`, and what is allowed.
    pub fn compile(event_types: &[String], filter: Option<&Value>) -> Result<Self, PatternError> {
        if event_types.len() > MAX_TYPES {
            return Err(PatternError::new("/event_types", format!("at most {MAX_TYPES} patterns")));
        }
        let types = event_types
            .iter()
            .enumerate()
            .map(|(index, text)| {
                type_pattern(text).map_err(|why| PatternError::new(format!("/event_types/{index}"), why))
            })
            .collect::<Result<_, _>>()?;
        let filter =
            filter.filter(|value| !value.is_null()).map(|value| Pattern::compile(value, "/filter")).transpose()?;
        Ok(Self { types, filter })
    }

    /// Matched, or why not. The payload is parsed only if the filter asks for it.
    #[must_use]
    pub fn verdict(&self, facts: &Facts<'_>) -> Verdict {
        if !self.takes_type(&facts.event.event_type) {
            return Verdict::FilteredType;
        }
        match &self.filter {
            None => Verdict::Matched,
            Some(filter) if filter.needs_data() && facts.data().is_none() => Verdict::FilteredNotJson,
            Some(filter) if filter.matches(facts) => Verdict::Matched,
            Some(_) => Verdict::FilteredPattern,
        }
    }

    /// True if it subscribes to this event type.
    #[must_use]
    pub fn takes_type(&self, event_type: &str) -> bool {
        self.types.is_empty()
            || self.types.iter().any(|pattern| match pattern {
                TypePattern::All => true,
                TypePattern::Prefix(prefix) => event_type.starts_with(prefix.as_str()),
                TypePattern::Exact(exact) => event_type == exact,
            })
    }
}

fn type_pattern(text: &str) -> Result<TypePattern, String> {
    if text == "*" {
        return Ok(TypePattern::All);
    }
    let (stem, prefix) = match text.strip_suffix(".*") {
        Some(stem) => (stem, true),
        None => (text, false),
    };
    let fits =
        (1..=256).contains(&stem.len()) && !stem.contains('*') && !stem.chars().any(|c| c.is_control() || c == ' ');
    if !fits {
        return Err("an event type such as `order.created`, a prefix such as `order.*`, or `*`".into());
    }
    Ok(if prefix { TypePattern::Prefix(format!("{stem}.")) } else { TypePattern::Exact(stem.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event;
    use serde_json::json;

    fn verdict(types: &[&str], filter: Option<Value>, event: &railhead_model::Event) -> Verdict {
        let types: Vec<_> = types.iter().map(|text| (*text).to_owned()).collect();
        Matcher::compile(&types, filter.as_ref()).expect("compiles").verdict(&Facts::new(event))
    }

    #[test]
    fn types_match_exactly_by_prefix_or_all() {
        let event = event("order.item.added", "{}");
        for types in [&[][..], &["*"], &["order.*"], &["order.item.*"], &["x", "order.item.added"]] {
            assert_eq!(verdict(types, None, &event), Verdict::Matched, "{types:?}");
        }
        for types in [&["order"][..], &["orde.*"], &["order.item"], &["order.item.added.*"]] {
            assert_eq!(verdict(types, None, &event), Verdict::FilteredType, "{types:?}");
        }
    }

    #[test]
    fn bad_type_patterns_are_named() {
        for bad in ["", "*.x", "a*", "a b", ".*"] {
            let error = Matcher::compile(&["ok".into(), bad.into()], None).expect_err(bad);
            assert_eq!(error.pointer, "/event_types/1");
        }
    }

    #[test]
    fn a_filter_on_data_says_when_the_payload_is_not_json() {
        let filter = Some(json!({"data": {"a": [1]}}));
        assert_eq!(verdict(&[], filter.clone(), &event("t", "not json")), Verdict::FilteredNotJson);
        assert_eq!(verdict(&[], filter.clone(), &event("t", r#"{"a": 2}"#)), Verdict::FilteredPattern);
        assert_eq!(verdict(&[], filter, &event("t", r#"{"a": 1}"#)), Verdict::Matched);
        assert_eq!(verdict(&[], Some(json!({"subject": ["order-7"]})), &event("t", "not json")), Verdict::Matched);
    }
}
