//! Reading JSON bodies: errors name the field and what is allowed.

use crate::codes::{self, Code};
use crate::problem::{FieldError, Problem};
use railhead_model::Timestamp;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize as _, Deserializer};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

/// Arrays and objects that may stand in each other.
pub const MAX_DEPTH: usize = 100;

/// Checks that bytes are one JSON value, not nested beyond [`MAX_DEPTH`].
///
/// # Errors
/// 400 `too-deep`.
pub fn check_depth(bytes: &[u8]) -> Result<(), Problem> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            let detail = format!("The JSON is nested more than {MAX_DEPTH} levels deep.");
            return Err(Problem::new(&codes::TOO_DEEP, detail));
        }
    }
    Ok(())
}

/// Reads any JSON value.
///
/// # Errors
/// 400 `invalid-json`, `too-deep`.
pub fn value(bytes: &[u8]) -> Result<Value, Problem> {
    check_depth(bytes)?;
    serde_json::from_slice(bytes).map_err(|error| not_json(&error))
}

/// Refuses the character NUL in names and strings: a store would take it in one place and stumble over it in another.
///
/// # Errors
/// 422 `invalid-input` with the field's pointer, or with that of the object for a name.
pub fn check_text(value: &Value) -> Result<(), Problem> {
    let mut errors = Vec::new();
    find_nul(value, "", &mut errors);
    if errors.is_empty() { Ok(()) } else { Err(Problem::input(errors)) }
}

fn find_nul(value: &Value, pointer: &str, errors: &mut Vec<FieldError>) {
    let wrong = |what: &str| {
        let detail = format!("{what} contains the character NUL (U+0000): remove it.");
        FieldError::new(pointer, &codes::INVALID_VALUE, detail)
    };
    match value {
        Value::String(text) if text.contains('\0') => errors.push(wrong("The text")),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                find_nul(item, &format!("{pointer}/{index}"), errors);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                if name.contains('\0') {
                    errors.push(wrong("A field's name"));
                } else {
                    find_nul(member, &format!("{pointer}/{}", token(name)), errors);
                }
            }
        }
        _ => {}
    }
}

/// Says where a body is not JSON.
#[must_use]
pub fn not_json(error: &serde_json::Error) -> Problem {
    if error.is_data() {
        // Serde's words would repeat the value.
        let (line, column) = (error.line(), error.column());
        let detail = format!("A field is given twice or has a wrong type, at line {line} column {column}.");
        return Problem::new(&codes::INVALID_JSON, detail);
    }
    Problem::new(&codes::INVALID_JSON, format!("The body is not JSON: {error}."))
}

/// Reads an object into a type. `nested` are pointers to members that must be objects too, where they are given: serde
/// would take a list for a struct.
///
/// # Errors
/// 422 `invalid-input` with the field's pointer.
pub fn into<T: DeserializeOwned>(value: Value, nested: &[&str]) -> Result<T, Problem> {
    let wrong = |pointer: &&&str| value.pointer(pointer).is_some_and(|value| !value.is_object() && !value.is_null());
    if let Some(pointer) = nested.iter().find(wrong) {
        return Err(Problem::input(vec![not_object(pointer)]));
    }
    at("", value).map_err(|error| Problem::input(vec![error]))
}

fn not_object(pointer: &str) -> FieldError {
    FieldError::new(pointer, &codes::WRONG_TYPE, "Expected an object.")
}

/// Reads an object that stands at a pointer of the body.
///
/// # Errors
/// The field that is wrong.
pub fn at<T: DeserializeOwned>(pointer: &str, value: Value) -> Result<T, FieldError> {
    if !value.is_object() {
        return Err(not_object(pointer));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = format!("{pointer}{}", pointer_of(error.path()));
        describe(path, &error.inner().to_string())
    })
}

/// A JSON Pointer's token.
#[must_use]
pub fn token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn pointer_of(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", token(key))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// Reads a time, for fields that need not be there.
///
/// # Errors
/// What is expected, without the value.
pub fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let expected = "expected a time as in 2026-01-31T12:00:00Z (RFC 3339)";
    Timestamp::parse(&text).map(Some).map_err(|_| D::Error::custom(expected))
}

/// Serde's words, with our code. They name types and allowed fields, which is what a caller needs; values, which may be
/// secrets in a wrong place, are left out.
fn describe(mut pointer: String, words: &str) -> FieldError {
    if words.starts_with("unknown field") {
        return FieldError::new(pointer, &codes::UNKNOWN_FIELD, format!("{words}."));
    }
    if let Some(name) = words.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        pointer.push_str(&format!("/{}", token(name)));
        return FieldError::new(pointer, &codes::REQUIRED, format!("{words}."));
    }
    let code: &'static Code =
        if words.starts_with("invalid type") { &codes::WRONG_TYPE } else { &codes::INVALID_VALUE };
    // What is expected stands last: a value that holds the same word comes before it.
    let prefixes = ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant "];
    let expected = match prefixes.iter().any(|prefix| words.starts_with(prefix)) {
        true => words.rsplit_once(", expected ").map(|(_, last)| last),
        false => words.strip_prefix("expected "),
    };
    let detail = expected.map_or_else(|| "The value is not allowed.".to_owned(), |last| format!("Expected {last}."));
    FieldError::new(pointer, code, detail)
}

/// Applies a JSON merge patch (RFC 7396).
pub fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Some(object) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            object.remove(&name);
        } else {
            merge(object.entry(name).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[serde(default)]
        list: Vec<Inner>,
        inner: Option<Inner>,
    }
    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        n: u8,
    }

    #[test]
    fn errors_name_the_field() {
        let good: Outer = into(json!({"list": [{"n": 1}], "inner": {"n": 2}}), &["/inner"]).expect("fits");
        assert_eq!((good.list[0].n, good.inner.map(|inner| inner.n)), (1, Some(2)));
        let error = |value| {
            let problem = into::<Outer>(value, &["/inner"]).expect_err("wrong");
            (problem.errors[0].pointer.clone(), problem.errors[0].code)
        };
        assert_eq!(error(json!({"list": [{"n": 1}, {"n": "x"}]})), ("/list/1/n".into(), "wrong-type"));
        assert_eq!(error(json!({"list": [{"n": 300}]})), ("/list/0/n".into(), "invalid-value"));
        assert_eq!(error(json!({"list": [{"n": 1, "a/b": 2}]})), ("/list/0/a~1b".into(), "unknown-field"));
        assert_eq!(error(json!({"list": [{}]})), ("/list/0/n".into(), "required"));
        assert_eq!(error(json!([])), (String::new(), "wrong-type"));
        assert_eq!(error(json!({"inner": [1]})), ("/inner".into(), "wrong-type"));
    }

    #[test]
    fn errors_say_what_is_expected_and_do_not_repeat_values() {
        #[derive(Debug, serde::Deserialize)]
        struct Secretive {
            #[serde(default)]
            n: u8,
            #[serde(default)]
            jitter: Option<railhead_model::Jitter>,
            #[serde(default, deserialize_with = "time")]
            at: Option<Timestamp>,
            #[serde(default)]
            raw: Option<Timestamp>,
        }
        let good: Secretive = into(json!({"n": 1, "at": "1970-01-01T00:00:00Z"}), &[]).expect("fits");
        assert_eq!((good.n, good.at, good.raw, good.jitter), (1, Some(Timestamp(0)), None, None));
        for (value, words) in [
            (json!({"n": "hunter2, expected hunter2"}), "Expected u8."),
            (json!({"n": 4711}), "Expected u8."),
            (json!({"jitter": "hunter2"}), "Expected "),
            (json!({"at": "hunter2"}), "Expected a time as in 2026-01-31T12:00:00Z (RFC 3339)."),
            (json!({"raw": "hunter2"}), "The value is not allowed."),
        ] {
            let detail = into::<Secretive>(value, &[]).expect_err("wrong").errors.remove(0).detail;
            assert!(detail.starts_with(words), "{detail}");
            assert!(!detail.contains("hunter2") && !detail.contains("4711"), "{detail}");
        }
        let twice = serde_json::from_str::<Inner>("{\"n\":\"hunter2\"}").expect_err("wrong");
        assert!(!not_json(&twice).detail.contains("hunter2"));
    }

    #[test]
    fn depth_counts_outside_of_strings_only() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(check_depth(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(check_depth(nested(MAX_DEPTH + 1).as_bytes()).map_err(|p| p.code.name), Err("too-deep"));
        let text = format!("\"{}\\\"{}\"", "[".repeat(200), "{".repeat(200));
        assert!(check_depth(text.as_bytes()).is_ok());
    }

    #[test]
    fn a_merge_patch_sets_removes_and_keeps() {
        let mut target = json!({"a": 1, "b": {"c": 2, "d": 3}});
        merge(&mut target, json!({"a": null, "b": {"d": [1]}, "e": {"f": null}}));
        assert_eq!(target, json!({"b": {"c": 2, "d": [1]}, "e": {}}));
    }
}
