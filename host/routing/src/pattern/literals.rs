//! Sets of JSON literals: one search for each value that is asked of, however many literals there are.

use serde_json::Value;
use std::collections::BTreeSet;

/// Literals, by value.
#[derive(Clone, Debug, Default)]
pub(super) struct Literals {
    texts: BTreeSet<String>,
    others: BTreeSet<Other>,
    longest: usize,
}

/// What is no text, in one form for each value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Other {
    Null,
    Bool(bool),
    /// `1`, `1.0` and `1e0` are one number.
    Integer(i128),
    /// The bits of any other number.
    Fraction(u64),
}

/// Numbers without a fraction below this fit an `i128`.
const INTEGERS: f64 = 1e38;

impl Literals {
    pub fn insert(&mut self, literal: &Value) {
        if let Value::String(text) = literal {
            self.longest = self.longest.max(text.len());
            self.texts.insert(text.clone());
        } else {
            self.others.extend(other(literal));
        }
    }

    pub fn contains(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => text.len() <= self.longest && self.texts.contains(text),
            value => other(value).is_some_and(|value| self.others.contains(&value)),
        }
    }

    /// Bytes that a search compares at most.
    pub fn bytes(&self) -> usize {
        self.longest
    }

    pub fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.others.is_empty()
    }
}

impl<'a> FromIterator<&'a Value> for Literals {
    fn from_iter<I: IntoIterator<Item = &'a Value>>(values: I) -> Self {
        let mut literals = Self::default();
        values.into_iter().for_each(|value| literals.insert(value));
        literals
    }
}

/// `None` for what is a text or no literal.
fn other(value: &Value) -> Option<Other> {
    match value {
        Value::Null => Some(Other::Null),
        Value::Bool(value) => Some(Other::Bool(*value)),
        Value::Number(number) => {
            let exact = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
            match (exact, number.as_f64()) {
                (Some(integer), _) => Some(Other::Integer(integer)),
                (None, Some(float)) if float.fract() == 0.0 && float.abs() < INTEGERS => {
                    Some(Other::Integer(float as i128))
                }
                (None, float) => float.map(|float| Other::Fraction(float.to_bits())),
            }
        }
        Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
