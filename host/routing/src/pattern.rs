//! Event patterns in the style of Amazon EventBridge: what an event must look like, as JSON.
//!
//! An object asks that every named field match; an array lists alternatives for a field: literals, or one of
//! `{"prefix": s}`, `{"suffix": s}`, `{"equals-ignore-case": s}`, `{"anything-but": literal or list}`,
//! `{"numeric": [op, number, …]}`, `{"exists": bool}`. `"$or": [pattern, …]` asks that one of several match. Where the
//! event has an array, one matching element is enough.
//!
//! A pattern is bounded in size, and so is what it looks at in one event: see [`MAX_BYTES`], [`MAX_NODES`] and
//! [`MAX_STEPS`].

mod literals;
mod look;

use crate::facts::Facts;
use literals::Literals;
use look::Steps;
use serde_json::{Map, Value};

/// A pattern that does not compile: where, and what is allowed there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {detail}")]
pub struct PatternError {
    /// JSON Pointer.
    pub pointer: String,
    /// For the person who wrote it.
    pub detail: String,
}

impl PatternError {
    pub(crate) fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

/// Deepest nesting of a pattern.
pub const MAX_DEPTH: usize = 16;
/// Most fields, alternatives and items of their lists in a pattern.
pub const MAX_NODES: usize = 1_000;
/// Most bytes of a pattern, as JSON without white space.
pub const MAX_BYTES: usize = 16 * 1024;
/// Most steps of one look at one event: a value, or 32 bytes of a text, against a field or an alternative.
///
/// A pattern that would take more counts as not matched. A literal list is one alternative, however long.
pub const MAX_STEPS: u32 = 100_000;
/// The fields at the top of a pattern.
pub const ROOTS: [&str; 6] = ["type", "source", "subject", "id", "attributes", "data"];

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    root: Node,
    needs_data: bool,
}

#[derive(Clone, Debug)]
enum Node {
    All(Vec<(String, Node)>, Vec<Vec<Node>>),
    Any(Any),
}

/// The alternatives of one field.
#[derive(Clone, Debug, Default)]
struct Any {
    /// `exists` is asked for, or its contrary.
    present: bool,
    absent: bool,
    literals: Literals,
    tests: Vec<Test>,
}

#[derive(Clone, Debug)]
enum Test {
    Prefix(String),
    Suffix(String),
    IgnoreCase(String),
    AnythingBut(Literals),
    Numeric(Vec<(Comparison, f64)>),
}

#[derive(Clone, Copy, Debug)]
enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl Pattern {
    /// Compiles; `at` is the pointer to the pattern itself, for errors.
    ///
    /// # Errors
    /// The pointer to what is wrong and what is allowed there.
    pub fn compile(value: &Value, at: &str) -> Result<Self, PatternError> {
        if !fits(value) {
            return Err(PatternError::new(at, format!("at most {MAX_BYTES} bytes")));
        }
        let mut nodes = 0;
        let root = node(value, at, 0, &mut nodes)?;
        let Value::Object(map) = value else {
            return Err(PatternError::new(
                at,
                "a pattern is an object, such as {\"data\": {\"total\": [{\"numeric\": [\">\", 100]}]}}",
            ));
        };
        check_roots(map, at)?;
        let needs_data = mentions_data(&root);
        Ok(Self { root, needs_data })
    }

    /// True if it looks into the payload.
    #[must_use]
    pub const fn needs_data(&self) -> bool {
        self.needs_data
    }

    /// True if the event looks like this, and that takes no more than [`MAX_STEPS`].
    #[must_use]
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        look::root(&self.root, facts, &Steps::new(MAX_STEPS)).unwrap_or_else(|_| {
            let event = facts.event.uid;
            tracing::debug!(%event, "a filter has too much to look at in an event, which counts as not matched");
            false
        })
    }
}

/// Whether a pattern is small enough, without writing more of it than that.
fn fits(value: &Value) -> bool {
    struct Room(usize);
    impl std::io::Write for Room {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::FileTooLarge)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    serde_json::to_writer(Room(MAX_BYTES), value).is_ok()
}

fn count(nodes: &mut usize, more: usize, at: &str) -> Result<(), PatternError> {
    *nodes = nodes.saturating_add(more);
    if *nodes > MAX_NODES {
        let detail = format!("at most {MAX_NODES} fields, alternatives and items of lists");
        return Err(PatternError::new(at, detail));
    }
    Ok(())
}

fn check_roots(map: &Map<String, Value>, at: &str) -> Result<(), PatternError> {
    for (name, value) in map {
        match (name.as_str(), value) {
            ("$or", Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    if let Value::Object(map) = item {
                        check_roots(map, &format!("{at}/$or/{index}"))?;
                    }
                }
            }
            (name, _) if ROOTS.contains(&name) => {}
            _ => {
                let detail = format!("unknown field; a pattern asks of {} or $or", ROOTS.join(", "));
                return Err(PatternError::new(format!("{at}/{}", escape(name)), detail));
            }
        }
    }
    Ok(())
}

fn mentions_data(root: &Node) -> bool {
    let Node::All(fields, ors) = root else { return false };
    fields.iter().any(|(name, _)| name == "data") || ors.iter().flatten().any(mentions_data)
}

fn node(value: &Value, at: &str, depth: usize, nodes: &mut usize) -> Result<Node, PatternError> {
    count(nodes, 1 + value.as_array().map_or(0, Vec::len), at)?;
    if depth > MAX_DEPTH {
        return Err(PatternError::new(at, format!("at most {MAX_DEPTH} levels deep")));
    }
    match value {
        Value::Object(map) if !map.is_empty() => all(map, at, depth, nodes),
        Value::Array(items) if !items.is_empty() => {
            let mut any = Any::default();
            for (index, item) in items.iter().enumerate() {
                alternative(item, &format!("{at}/{index}"), nodes, &mut any)?;
            }
            Ok(Node::Any(any))
        }
        _ => Err(PatternError::new(
            at,
            "expected an object of fields or a list of alternatives, such as [\"paid\"]; neither may be empty",
        )),
    }
}

fn all(map: &Map<String, Value>, at: &str, depth: usize, nodes: &mut usize) -> Result<Node, PatternError> {
    let (mut fields, mut ors) = (Vec::new(), Vec::new());
    for (name, value) in map {
        let at = format!("{at}/{}", escape(name));
        if name == "$or" {
            let Value::Array(items) = value else {
                return Err(PatternError::new(at, "`$or` takes a list of patterns"));
            };
            let items = items.iter().enumerate().map(|(index, item)| match item {
                Value::Object(_) => node(item, &format!("{at}/{index}"), depth + 1, nodes),
                _ => Err(PatternError::new(format!("{at}/{index}"), "`$or` takes a list of patterns")),
            });
            ors.push(items.collect::<Result<_, _>>()?);
        } else {
            fields.push((name.clone(), node(value, &at, depth + 1, nodes)?));
        }
    }
    Ok(Node::All(fields, ors))
}

fn alternative(value: &Value, at: &str, nodes: &mut usize, any: &mut Any) -> Result<(), PatternError> {
    let wrong = |detail: &str| Err(PatternError::new(at, detail));
    let map = match value {
        Value::Object(map) => map,
        Value::Array(_) => return wrong("an alternative is a literal or a test such as {\"prefix\": \"eu-\"}"),
        literal => {
            any.literals.insert(literal);
            return Ok(());
        }
    };
    let mut entries = map.iter();
    let (Some((name, argument)), None) = (entries.next(), entries.next()) else {
        return wrong(
            "a test has exactly one name: prefix, suffix, equals-ignore-case, anything-but, numeric or exists",
        );
    };
    count(nodes, argument.as_array().map_or(0, Vec::len), at)?;
    let test = match (name.as_str(), argument) {
        ("prefix", Value::String(text)) => Test::Prefix(text.clone()),
        ("suffix", Value::String(text)) => Test::Suffix(text.clone()),
        ("equals-ignore-case", Value::String(text)) => Test::IgnoreCase(text.to_lowercase()),
        ("prefix" | "suffix" | "equals-ignore-case", _) => return wrong("this test takes a string"),
        ("exists", Value::Bool(wanted)) => {
            any.present |= *wanted;
            any.absent |= !*wanted;
            return Ok(());
        }
        ("exists", _) => return wrong("`exists` takes true or false"),
        ("anything-but", Value::Array(items)) if items.iter().all(is_literal) => {
            Test::AnythingBut(items.iter().collect())
        }
        ("anything-but", literal) if is_literal(literal) => Test::AnythingBut(std::iter::once(literal).collect()),
        ("anything-but", _) => return wrong("`anything-but` takes a literal or a list of literals"),
        ("numeric", Value::Array(items)) => match numeric(items) {
            Some(tests) => Test::Numeric(tests),
            None => return wrong(NUMERIC),
        },
        ("numeric", _) => return wrong(NUMERIC),
        _ => {
            return wrong(
                "unknown test; there are prefix, suffix, equals-ignore-case, anything-but, numeric and exists",
            );
        }
    };
    any.tests.push(test);
    Ok(())
}

const NUMERIC: &str =
    "`numeric` takes pairs of a comparison (<, <=, =, >=, >) and a number, such as [\">\", 0, \"<=\", 5]";

const fn is_literal(value: &Value) -> bool {
    !matches!(value, Value::Object(_) | Value::Array(_))
}

fn numeric(items: &[Value]) -> Option<Vec<(Comparison, f64)>> {
    if items.is_empty() || !items.len().is_multiple_of(2) {
        return None;
    }
    let pair = |pair: &[Value]| {
        let comparison = match pair.first()?.as_str()? {
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            "=" => Comparison::Equal,
            ">=" => Comparison::GreaterOrEqual,
            ">" => Comparison::Greater,
            _ => return None,
        };
        Some((comparison, pair.get(1)?.as_f64()?))
    };
    items.chunks(2).map(pair).collect()
}

/// A name as a JSON Pointer writes it (RFC 6901).
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event;
    use serde_json::json;

    fn matches(pattern: &Value) -> bool {
        let event = event(
            "order.created",
            r#"{"total": 12.5, "state": "paid", "tags": ["a", "b"], "none": null,
                "lines": [{"sku": "x", "n": 1}, {"sku": "y", "n": 2}], "customer": {"country": "DE"}}"#,
        );
        Pattern::compile(pattern, "/filter").expect("compiles").matches(&Facts::new(&event))
    }

    #[test]
    fn patterns_that_match() {
        for pattern in [
            json!({"type": ["order.created"]}),
            json!({"attributes": {"region": [{"prefix": "e"}]}}),
            json!({"data": {"state": ["paid", "open"]}}),
            json!({"data": {"total": [{"numeric": [">", 10, "<=", 12.5]}]}}),
            json!({"data": {"tags": ["b"]}}),
            json!({"data": {"lines": {"sku": ["y"]}}}),
            json!({"data": {"customer": {"country": [{"equals-ignore-case": "de"}]}}}),
            json!({"data": {"none": [null]}}),
            json!({"data": {"missing": [{"exists": false}], "total": [{"exists": true}]}}),
            json!({"data": {"state": [{"anything-but": ["open"]}]}}),
            json!({"$or": [{"type": ["x"]}, {"data": {"state": [{"suffix": "id"}]}}]}),
            json!({"data": {"$or": [{"state": ["x"]}, {"total": [12.5]}]}}),
        ] {
            assert!(matches(&pattern), "{pattern}");
        }
    }

    #[test]
    fn patterns_that_do_not_match() {
        for pattern in [
            json!({"type": ["order"]}),
            json!({"data": {"total": ["12.5"]}}),
            json!({"data": {"total": [{"numeric": [">", 12.5]}]}}),
            json!({"data": {"missing": [null]}}),
            json!({"data": {"missing": {"deeper": ["x"]}}}),
            json!({"data": {"state": ["paid"], "tags": ["c"]}}),
            json!({"data": {"lines": {"sku": ["y"], "n": [1]}}}),
            json!({"data": {"state": [{"anything-but": "paid"}]}}),
            json!({"$or": [{"type": ["x"]}, {"subject": ["y"]}]}),
        ] {
            assert!(!matches(&pattern), "{pattern}");
        }
    }

    #[test]
    fn mistakes_are_named_with_what_is_allowed() {
        for (pattern, pointer) in [
            (json!([]), "/filter"),
            (json!("x"), "/filter"),
            (json!({"dat": {"a": [1]}}), "/filter/dat"),
            (json!({"data": {"a": 1}}), "/filter/data/a"),
            (json!({"data": {"a": []}}), "/filter/data/a"),
            (json!({"data": {"a/b": [{"regex": "x"}]}}), "/filter/data/a~1b/0"),
            (json!({"data": {"a": [{"numeric": [">"]}]}}), "/filter/data/a/0"),
            (json!({"data": {"a": [{"prefix": 1}]}}), "/filter/data/a/0"),
            (json!({"$or": [{"nope": [1]}]}), "/filter/$or/0/nope"),
            (json!({"$or": {"type": ["x"]}}), "/filter/$or"),
        ] {
            let error = Pattern::compile(&pattern, "/filter").expect_err(&pattern.to_string());
            assert_eq!(error.pointer, pointer, "{pattern}: {error}");
        }
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let mut deep = json!({"a": [1]});
        for _ in 0..20 {
            deep = json!({"a": deep});
        }
        assert!(Pattern::compile(&json!({"data": deep}), "/filter").is_err());
        let wide: Vec<_> = (0..2_000).collect();
        assert!(Pattern::compile(&json!({"data": {"a": wide}}), "/filter").is_err());
    }

    #[test]
    fn the_items_of_every_list_count() {
        let items: Vec<_> = (0..1_200).collect();
        let pairs: Vec<_> = (0..600).flat_map(|n| [json!("<"), json!(n)]).collect();
        for test in [json!({"anything-but": items}), json!({"numeric": pairs})] {
            let error = Pattern::compile(&json!({"data": {"a": [test]}}), "/filter").expect_err("too many");
            assert_eq!(error.pointer, "/filter/data/a/0");
        }
    }

    #[test]
    fn a_pattern_is_at_most_16_kib() {
        let of = |bytes: usize| json!({"data": {"a": ["x".repeat(bytes)]}});
        assert!(Pattern::compile(&of(MAX_BYTES - 19), "/filter").is_ok());
        assert_eq!(Pattern::compile(&of(MAX_BYTES), "/filter").expect_err("too long").pointer, "/filter");
    }

    fn looks(pattern: &Value, data: &Value) -> bool {
        Pattern::compile(pattern, "/filter").expect("compiles").matches(&Facts::new(&event("t", &data.to_string())))
    }

    #[test]
    fn a_list_of_literals_is_one_step_for_each_element() {
        let literals: Vec<_> = (0..900).collect();
        let elements: Vec<_> = (900..90_000).chain([5]).collect();
        assert!(looks(&json!({"data": {"a": literals}}), &json!({"a": elements})));
        let but = json!({"data": {"a": [{"anything-but": literals}]}});
        assert!(!looks(&but, &json!({"a": vec![7; 90_000]})));
        assert!(looks(&but, &json!({"a": [7, 901]})));
    }

    #[test]
    fn what_would_take_too_many_steps_does_not_match() {
        let prefixes: Vec<_> = (0..400).map(|n| json!({"prefix": format!("p{n}-")})).collect();
        let pattern = json!({"data": {"a": prefixes}});
        let mut elements = vec!["x"; 100];
        elements.push("p7-y");
        assert!(looks(&pattern, &json!({"a": elements})), "40,000 steps");
        elements.splice(0..0, vec!["x"; 900]);
        assert!(!looks(&pattern, &json!({"a": elements})), "400,000 steps");
        // Nor does a test that matches by not finding something.
        let but = (0..400).map(|n| json!({"prefix": n.to_string()})).chain([json!({"anything-but": "x"})]);
        let mut elements = vec!["x"; 1_000];
        elements.push("y");
        assert!(!looks(&json!({"data": {"a": but.collect::<Vec<_>>()}}), &json!({"a": elements})));
    }

    #[test]
    fn long_texts_cost_no_more_than_the_pattern_is_long() {
        let long = "K".repeat(200_000);
        let folds: Vec<_> = (0..300).map(|n| json!({"equals-ignore-case": format!("k{n}")})).collect();
        assert!(!looks(&json!({"data": {"a": folds}}), &json!({"a": long})));
        // U+212A, the Kelvin sign: three bytes, one when it is small.
        assert!(looks(&json!({"data": {"a": [{"equals-ignore-case": "kk"}]}}), &json!({"a": "\u{212A}\u{212A}"})));
    }

    #[test]
    fn numbers_are_equal_by_value() {
        for (literal, value) in
            [("1", "1.0"), ("1e0", "1"), ("-0.0", "0"), ("18446744073709551615", "18446744073709551615")]
        {
            let [literal, value]: [Value; 2] =
                [literal, value].map(|text| serde_json::from_str(text).expect("a number"));
            assert!(looks(&json!({"data": {"a": [literal]}}), &json!({"a": value})), "{literal} {value}");
        }
        assert!(!looks(&json!({"data": {"a": [9_007_199_254_740_993_i64]}}), &json!({"a": 9_007_199_254_740_992_i64})));
        assert!(!looks(&json!({"data": {"a": [1]}}), &json!({"a": [true, "1", 1.5, null, [1], {"b": 1}]})));
    }
}
