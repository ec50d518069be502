//! Looking at an event with a pattern, in a bounded number of steps.

use super::{Any, Comparison, Node, Test};
use crate::facts::Facts;
use serde_json::Value;
use std::cell::Cell;

/// What one look may still cost.
pub(super) struct Steps(Cell<u32>);

/// There is more to look at than one look may cost.
#[derive(Debug)]
pub(super) struct TooMuch;

type Found = Result<bool, TooMuch>;

/// Bytes of a text that are one step.
const STEP_BYTES: usize = 32;

impl Steps {
    pub fn new(steps: u32) -> Self {
        Self(Cell::new(steps))
    }

    /// One step, and those of comparing so many bytes.
    fn take(&self, bytes: usize) -> Result<(), TooMuch> {
        let steps = u32::try_from(1 + bytes / STEP_BYTES).map_err(|_| TooMuch)?;
        self.0.set(self.0.get().checked_sub(steps).ok_or(TooMuch)?);
        Ok(())
    }
}

/// Looks at the whole event.
pub(super) fn root(root: &Node, facts: &Facts<'_>, steps: &Steps) -> Found {
    let Node::All(fields, ors) = root else { return Ok(false) };
    steps.take(0)?;
    let head = &facts.event.head;
    let field = |(name, node): &(String, Node)| match name.as_str() {
        "data" => value(node, facts.data(), steps),
        "attributes" => value(node, Some(facts.attributes()), steps),
        "type" => text(node, Some(&facts.event.event_type), steps),
        "source" => text(node, Some(&head.source), steps),
        "subject" => text(node, head.subject.as_deref(), steps),
        "id" => text(node, Some(&facts.event.id), steps),
        _ => Ok(false),
    };
    Ok(all(fields, field)? && all(ors, |or| any(or, |node| self::root(node, facts, steps)))?)
}

fn text(node: &Node, text: Option<&str>, steps: &Steps) -> Found {
    steps.take(text.map_or(0, str::len))?;
    value(node, text.map(|text| Value::String(text.to_owned())).as_ref(), steps)
}

fn value(node: &Node, found: Option<&Value>, steps: &Steps) -> Found {
    steps.take(0)?;
    match (node, found) {
        (Node::Any(alternatives), None) => Ok(alternatives.absent),
        (Node::Any(alternatives), Some(_)) if alternatives.present => Ok(true),
        (Node::Any(alternatives), Some(Value::Array(items))) => any(items, |item| passes(alternatives, item, steps)),
        (Node::Any(alternatives), Some(one)) => passes(alternatives, one, steps),
        (Node::All(..), Some(Value::Array(items))) => any(items, |item| value(node, Some(item), steps)),
        (Node::All(fields, ors), found) => {
            let map = found.and_then(Value::as_object);
            let get = |name: &str| map.and_then(|map| map.get(name));
            Ok(all(fields, |(name, node)| value(node, get(name), steps))?
                && all(ors, |or| any(or, |node| value(node, found, steps)))?)
        }
    }
}

/// One element against all alternatives.
fn passes(alternatives: &Any, value: &Value, steps: &Steps) -> Found {
    if !alternatives.literals.is_empty() {
        steps.take(alternatives.literals.bytes().min(length(value)))?;
        if alternatives.literals.contains(value) {
            return Ok(true);
        }
    }
    any(&alternatives.tests, |test| {
        steps.take(cost(test, value))?;
        Ok(holds(test, value))
    })
}

/// Bytes that a test compares, or what costs as much.
fn cost(test: &Test, value: &Value) -> usize {
    let bytes = match test {
        Test::Prefix(text) | Test::Suffix(text) => text.len(),
        Test::IgnoreCase(text) => text.len().saturating_mul(MOST_GROWTH),
        Test::AnythingBut(unwanted) => unwanted.bytes(),
        Test::Numeric(tests) => return tests.len().saturating_mul(STEP_BYTES),
    };
    bytes.min(length(value))
}

fn length(value: &Value) -> usize {
    value.as_str().map_or(0, str::len)
}

/// A text has at most so many times the bytes of its lower case: the Kelvin sign has three, its `k` one.
const MOST_GROWTH: usize = 3;

fn holds(test: &Test, value: &Value) -> bool {
    match test {
        Test::Prefix(prefix) => value.as_str().is_some_and(|text| text.starts_with(prefix.as_str())),
        Test::Suffix(suffix) => value.as_str().is_some_and(|text| text.ends_with(suffix.as_str())),
        Test::IgnoreCase(wanted) => value.as_str().is_some_and(|text| {
            text.len() <= wanted.len().saturating_mul(MOST_GROWTH) && text.to_lowercase() == *wanted
        }),
        Test::AnythingBut(unwanted) => !unwanted.contains(value),
        Test::Numeric(tests) => value.as_f64().is_some_and(|number| tests.iter().all(|test| compares(*test, number))),
    }
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

fn any<T>(items: &[T], mut look: impl FnMut(&T) -> Found) -> Found {
    for item in items {
        if look(item)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn all<T>(items: &[T], mut look: impl FnMut(&T) -> Found) -> Found {
    for item in items {
        if !look(item)? {
            return Ok(false);
        }
    }
    Ok(true)
}
