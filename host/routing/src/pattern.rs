//! Event patterns in the style of Amazon EventBridge: what an event must look like, as JSON.
//!
//! An object asks that every named field match; an array lists alternatives for a field: literals, or one of
//! `{"prefix": s}`, `{"suffix": s}`, `{"equals-ignore-case": s}`, `{"anything-but": literal or list}`,
//! `{"numeric": [op, number, …]}`, `{"exists": bool}`. `"$or": [pattern, …]` asks that one of several match. Where the
//! event has an array, one matching element is enough.

use crate::facts::Facts;
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
/// Most fields and alternatives of a pattern.
pub const MAX_NODES: usize = 1_000;
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
    Any(Vec<Test>),
}

#[derive(Clone, Debug)]
enum Test {
    Equals(Value),
    Prefix(String),
    Suffix(String),
    IgnoreCase(String),
    AnythingBut(Vec<Value>),
    Numeric(Vec<(Comparison, f64)>),
    Exists(bool),
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

    /// True if the event looks like this.
    #[must_use]
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        matches_root(&self.root, facts)
    }
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
    *nodes += 1 + value.as_array().map_or(0, Vec::len);
    if depth > MAX_DEPTH {
        return Err(PatternError::new(at, format!("at most {MAX_DEPTH} levels deep")));
    }
    if *nodes > MAX_NODES {
        return Err(PatternError::new(at, format!("at most {MAX_NODES} fields and alternatives")));
    }
    match value {
        Value::Object(map) if !map.is_empty() => all(map, at, depth, nodes),
        Value::Array(items) if !items.is_empty() => {
            let tests = items.iter().enumerate().map(|(index, item)| test(item, &format!("{at}/{index}")));
            Ok(Node::Any(tests.collect::<Result<_, _>>()?))
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

fn test(value: &Value, at: &str) -> Result<Test, PatternError> {
    let wrong = |detail: &str| Err(PatternError::new(at, detail));
    let map = match value {
        Value::Object(map) => map,
        Value::Array(_) => return wrong("an alternative is a literal or a test such as {\"prefix\": \"eu-\"}"),
        literal => return Ok(Test::Equals(literal.clone())),
    };
    let mut entries = map.iter();
    let (Some((name, argument)), None) = (entries.next(), entries.next()) else {
        return wrong(
            "a test has exactly one name: prefix, suffix, equals-ignore-case, anything-but, numeric or exists",
        );
    };
    match (name.as_str(), argument) {
        ("prefix", Value::String(text)) => Ok(Test::Prefix(text.clone())),
        ("suffix", Value::String(text)) => Ok(Test::Suffix(text.clone())),
        ("equals-ignore-case", Value::String(text)) => Ok(Test::IgnoreCase(text.to_lowercase())),
        ("prefix" | "suffix" | "equals-ignore-case", _) => wrong("this test takes a string"),
        ("exists", Value::Bool(wanted)) => Ok(Test::Exists(*wanted)),
        ("exists", _) => wrong("`exists` takes true or false"),
        ("anything-but", Value::Array(items)) if items.iter().all(is_literal) => Ok(Test::AnythingBut(items.clone())),
        ("anything-but", literal) if is_literal(literal) => Ok(Test::AnythingBut(vec![literal.clone()])),
        ("anything-but", _) => wrong("`anything-but` takes a literal or a list of literals"),
        ("numeric", Value::Array(items)) => {
            numeric(items).map_or_else(|| wrong(NUMERIC), |tests| Ok(Test::Numeric(tests)))
        }
        ("numeric", _) => wrong(NUMERIC),
        _ => wrong("unknown test; there are prefix, suffix, equals-ignore-case, anything-but, numeric and exists"),
    }
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

fn matches_root(root: &Node, facts: &Facts<'_>) -> bool {
    let Node::All(fields, ors) = root else { return false };
    let head = &facts.event.head;
    let field = |(name, node): &(String, Node)| match name.as_str() {
        "data" => matches(node, facts.data()),
        "attributes" => matches_attributes(node, facts),
        "type" => matches_text(node, Some(&facts.event.event_type)),
        "source" => matches_text(node, Some(&head.source)),
        "subject" => matches_text(node, head.subject.as_deref()),
        "id" => matches_text(node, Some(&facts.event.id)),
        _ => false,
    };
    fields.iter().all(field) && ors.iter().all(|or| or.iter().any(|node| matches_root(node, facts)))
}

fn matches_text(node: &Node, text: Option<&str>) -> bool {
    matches(node, text.map(|text| Value::String(text.to_owned())).as_ref())
}

fn matches_attributes(node: &Node, facts: &Facts<'_>) -> bool {
    let attributes = facts.event.head.attributes.iter();
    let map: Map<_, _> = attributes.map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
    matches(node, Some(&Value::Object(map)))
}

fn matches(node: &Node, value: Option<&Value>) -> bool {
    match node {
        Node::Any(tests) => tests.iter().any(|test| passes(test, value)),
        Node::All(fields, ors) => match value {
            Some(Value::Array(items)) => items.iter().any(|item| matches(node, Some(item))),
            value => {
                let get = |name: &str| value.and_then(|value| value.as_object()).and_then(|map| map.get(name));
                fields.iter().all(|(name, node)| matches(node, get(name)))
                    && ors.iter().all(|or| or.iter().any(|node| matches(node, value)))
            }
        },
    }
}

fn passes(test: &Test, value: Option<&Value>) -> bool {
    let Some(value) = value else { return matches!(test, Test::Exists(false)) };
    if let Test::Exists(wanted) = test {
        return *wanted;
    }
    match value {
        Value::Array(items) => items.iter().any(|item| passes_one(test, item)),
        one => passes_one(test, one),
    }
}

fn passes_one(test: &Test, value: &Value) -> bool {
    match test {
        Test::Equals(wanted) => equal(wanted, value),
        Test::Prefix(prefix) => value.as_str().is_some_and(|text| text.starts_with(prefix.as_str())),
        Test::Suffix(suffix) => value.as_str().is_some_and(|text| text.ends_with(suffix.as_str())),
        Test::IgnoreCase(wanted) => value.as_str().is_some_and(|text| text.to_lowercase() == *wanted),
        Test::AnythingBut(unwanted) => !unwanted.iter().any(|unwanted| equal(unwanted, value)),
        Test::Numeric(tests) => value.as_f64().is_some_and(|number| tests.iter().all(|test| compares(*test, number))),
        Test::Exists(wanted) => *wanted,
    }
}

/// Numbers are equal by value: `1`, `1.0` and `1e0` are one number.
fn equal(a: &Value, b: &Value) -> bool {
    a == b
        || matches!((a, b), (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() && !(a.is_i64() && b.is_i64()))
}

fn compares((comparison, bound): (Comparison, f64), number: f64) -> bool {
    match comparison {
        Comparison::Less => number < bound,
        Comparison::LessOrEqual => number <= bound,
        Comparison::Equal => number == bound,
        Comparison::GreaterOrEqual => number >= bound,
        Comparison::Greater => number > bound,
    }
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
}
