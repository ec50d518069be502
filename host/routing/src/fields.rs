//! Field selection: which parts of a JSON payload are sent.
//!
//! Values that are kept keep their own bytes: numbers and escapes stay as they were published.

use bytes::Bytes;
use railhead_model::Fields;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// The payload cannot be selected from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// It is not JSON.
    #[error("the payload is not JSON, so no fields can be selected from it")]
    NotJson,
}

/// Checks a JSON Pointer (RFC 6901) as lists of fields take it.
///
/// # Errors
/// What is allowed.
pub fn check_pointer(pointer: &str) -> Result<(), String> {
    parse_pointer(pointer).map(|_| ())
}

/// Keeps what `include` names (everything, if it is empty) without what `exclude` names.
///
/// Pointers that name nothing are no error. An include list that names nothing present leaves an empty object.
///
/// # Errors
/// [`SelectError::NotJson`].
pub fn select(fields: &Fields, data: &[u8]) -> Result<Bytes, SelectError> {
    let raw: &RawValue = serde_json::from_slice(data).map_err(|_| SelectError::NotJson)?;
    let included = if fields.include.is_empty() {
        raw.get().to_owned()
    } else {
        include(&tree(&fields.include), raw)?.unwrap_or_else(|| "{}".to_owned())
    };
    if fields.exclude.is_empty() {
        return Ok(included.into());
    }
    let raw: &RawValue = serde_json::from_str(&included).map_err(|_| SelectError::NotJson)?;
    Ok(exclude(&tree(&fields.exclude), raw)?.unwrap_or_else(|| "null".to_owned()).into())
}

#[derive(Default)]
struct Node {
    named: bool,
    children: BTreeMap<String, Node>,
}

fn tree(pointers: &[String]) -> Node {
    let mut root = Node::default();
    for pointer in pointers {
        // Pointers were checked when the destination was configured; one that is none names nothing.
        let Ok(tokens) = parse_pointer(pointer) else { continue };
        let mut node = &mut root;
        for token in tokens {
            node = node.children.entry(token).or_default();
        }
        node.named = true;
    }
    root
}

fn parse_pointer(pointer: &str) -> Result<Vec<String>, String> {
    const WRONG: &str =
        "a JSON Pointer begins with `/`, such as `/customer/email`; `~` is written `~0` and `/` in a name `~1`";
    let rest = pointer.strip_prefix('/').ok_or(WRONG)?;
    let tokens: Vec<_> = rest.split('/').map(str::to_owned).collect();
    if tokens.len() > 32 {
        return Err("a JSON Pointer is at most 32 levels deep".into());
    }
    tokens
        .into_iter()
        .map(|token| {
            let valid = token.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
            if valid { Ok(token.replace("~1", "/").replace("~0", "~")) } else { Err(WRONG.to_owned()) }
        })
        .collect()
}

/// The members of one level, in order, with their own bytes.
enum Level<'a> {
    Object(Vec<(String, &'a RawValue)>),
    Array(Vec<&'a RawValue>),
    Scalar,
}

fn level(raw: &RawValue) -> Result<Level<'_>, SelectError> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'{') => serde_json::from_str::<Members<'_>>(text).map(|members| Level::Object(members.0)),
        Some(b'[') => serde_json::from_str(text).map(Level::Array),
        _ => Ok(Level::Scalar),
    }
    .map_err(|_| SelectError::NotJson)
}

fn include(node: &Node, raw: &RawValue) -> Result<Option<String>, SelectError> {
    if node.named {
        return Ok(Some(raw.get().to_owned()));
    }
    walk(raw, |name, value| match node.children.get(name) {
        Some(child) => include(child, value),
        None => Ok(None),
    })
    .map(|kept| kept.filter(|kept| kept.any).map(|kept| kept.text))
}

fn exclude(node: &Node, raw: &RawValue) -> Result<Option<String>, SelectError> {
    if node.named {
        return Ok(None);
    }
    if node.children.is_empty() {
        return Ok(Some(raw.get().to_owned()));
    }
    let kept = walk(raw, |name, value| match node.children.get(name) {
        Some(child) => exclude(child, value),
        None => Ok(Some(value.get().to_owned())),
    })?;
    Ok(Some(kept.map_or_else(|| raw.get().to_owned(), |kept| kept.text)))
}

struct Kept {
    text: String,
    any: bool,
}

/// Writes an object or array anew from what `keep` gives for each member; `None` for a scalar.
fn walk(
    raw: &RawValue,
    mut keep: impl FnMut(&str, &RawValue) -> Result<Option<String>, SelectError>,
) -> Result<Option<Kept>, SelectError> {
    let mut kept = Kept { text: String::new(), any: false };
    let mut separate = |text: &mut String| {
        if std::mem::replace(&mut kept.any, true) {
            text.push(',');
        }
    };
    let mut text = String::new();
    match level(raw)? {
        Level::Scalar => return Ok(None),
        Level::Object(members) => {
            text.push('{');
            for (name, value) in members {
                if let Some(value) = keep(&name, value)? {
                    separate(&mut text);
                    text.push_str(&serde_json::Value::String(name).to_string());
                    text.push(':');
                    text.push_str(&value);
                }
            }
            text.push('}');
        }
        Level::Array(items) => {
            text.push('[');
            for (index, value) in items.into_iter().enumerate() {
                if let Some(value) = keep(&index.to_string(), value)? {
                    separate(&mut text);
                    text.push_str(&value);
                }
            }
            text.push(']');
        }
    }
    kept.text = text;
    Ok(Some(kept))
}

/// An object's members in order, repeated names too.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(include: &[&str], exclude: &[&str], data: &str) -> String {
        let list = |pointers: &[&str]| pointers.iter().map(|pointer| (*pointer).to_owned()).collect();
        let fields = Fields { include: list(include), exclude: list(exclude) };
        String::from_utf8(select(&fields, data.as_bytes()).expect("json").to_vec()).expect("utf-8")
    }

    const DATA: &str =
        r#"{"z": 1.50, "a": {"b": "\u00e9", "c": 12345678901234567890123}, "l": [{"x":1},{"x":2,"y":3}], "~/": 1}"#;

    #[test]
    fn included_values_keep_their_bytes_and_order() {
        assert_eq!(selected(&["/a/c", "/z"], &[], DATA), r#"{"z":1.50,"a":{"c":12345678901234567890123}}"#);
        assert_eq!(selected(&["/a/b"], &[], DATA), r#"{"a":{"b":"\u00e9"}}"#);
        assert_eq!(selected(&["/l/1/y"], &[], DATA), r#"{"l":[{"y":3}]}"#);
        assert_eq!(selected(&["/~0~1"], &[], DATA), r#"{"~/":1}"#);
        assert_eq!(selected(&["/missing"], &[], DATA), "{}");
    }

    #[test]
    fn excluded_values_go_and_the_rest_stays() {
        assert_eq!(selected(&[], &["/a", "/l/0", "/~0~1"], DATA), r#"{"z":1.50,"l":[{"x":2,"y":3}]}"#);
        assert_eq!(selected(&["/a"], &["/a/b"], DATA), r#"{"a":{"c":12345678901234567890123}}"#);
        assert_eq!(selected(&[], &["/a/b/c"], r#"{"a":{"b":1}}"#), r#"{"a":{"b":1}}"#);
    }

    #[test]
    fn what_is_not_json_is_refused() {
        assert_eq!(select(&Fields::default(), b"not json"), Err(SelectError::NotJson));
        for bad in ["", "a", "/~", "/a~2b"] {
            assert!(check_pointer(bad).is_err(), "{bad}");
        }
    }
}
