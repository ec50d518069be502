//! The derived schema, beside what it should be, and beside what `serde` reads.

use railhead_sdk::Schema;
use railhead_sdk::expanded::{Piece, join, length, text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The whole schema of a type.
macro_rules! schema {
    ($type:ty) => {{
        const PIECES: &[Piece] = &[
            Piece::Text("{"),
            Piece::Text(<$type as Schema>::TITLE),
            Piece::Text(<$type as Schema>::DESCRIPTION),
            Piece::Nested(<$type as Schema>::RULES),
            Piece::Text("}"),
        ];
        const BYTES: [u8; length(PIECES)] = join(PIECES);
        const TEXT: &str = text(&BYTES);
        serde_json::from_str::<Value>(TEXT).unwrap_or_else(|error| panic!("{error}: {TEXT}"))
    }};
}

/// What a reader of the schema is told
/// over two lines.
///
/// And of a second paragraph.
#[derive(Debug, Deserialize, Serialize, Schema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schema(title = "All \"kinds\"", extend = {"if": {"required": ["maybe"]}, "then": {"required": ["by-hand"]}})]
struct All {
    /// A text.
    #[schema(title = "Text", pattern = r"^[a-z\\]+$", min_length = 1, max_length = 63, examples = ["a", "b"])]
    some_text: String,
    /// A number of its own bounds.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 10_000, default = 1)]
    bounded: u32,
    byte: u8,
    signed: i16,
    long: u64,
    #[schema(exclusive_minimum = -0.5, multiple_of = 0.5)]
    float: f64,
    maybe: Option<bool>,
    #[serde(default)]
    #[schema(min_items = 1, max_items = 3, unique_items = true)]
    list: Vec<Mode>,
    #[serde(default)]
    set: BTreeSet<String>,
    #[serde(default)]
    map: BTreeMap<String, Vec<Option<i8>>>,
    /// In place of the type's own.
    #[schema(title = "Nested")]
    inner: Inner,
    boxed: Box<Inner>,
    #[serde(rename = "NAMED")]
    r#type: Newtype,
    /// Whatever it is.
    #[serde(default)]
    #[schema(raw = r#"{"type": ["string", "null"], "maxLength": 5}"#, default = null)]
    by_hand: Value,
    #[serde(skip)]
    _unseen: Unseen,
}

/// How it is done.
#[derive(Debug, PartialEq, Eq, Deserialize, Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    OneByOne,
    #[serde(rename(deserialize = "all", serialize = "everything"))]
    Everything,
    #[serde(skip)]
    _Unseen,
}

/// Of the type.
#[derive(Debug, Default, Deserialize, Serialize, Schema)]
#[serde(default)]
struct Inner {
    #[schema(format = "uri")]
    url: String,
}

#[derive(Debug, PartialEq, Eq, Deserialize, Serialize, Schema)]
struct Newtype(#[schema(max_length = 9)] String);

/// One way or another.
#[derive(Debug, PartialEq, Deserialize, Serialize, Schema)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
enum Either {
    /// As it is.
    PlainText,
    /// With settings.
    #[schema(title = "JSON")]
    AsJson {
        /// How deep.
        #[schema(maximum = 9)]
        indent_by: u8,
        sorted_keys: Option<bool>,
    },
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Unseen;

const fn one() -> u32 {
    1
}

#[test]
fn a_schema_says_what_the_type_and_its_attributes_say() {
    let expected = json!({
        "title": "All \"kinds\"",
        "description": "What a reader of the schema is told over two lines.\n\nAnd of a second paragraph.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "some-text": {
                "title": "Text", "description": "A text.", "type": "string", "pattern": r"^[a-z\\]+$",
                "minLength": 1, "maxLength": 63, "examples": ["a", "b"]
            },
            "bounded": {
                "description": "A number of its own bounds.", "type": "integer", "minimum": 1, "maximum": 10000, "default": 1
            },
            "byte": {"type": "integer", "minimum": 0, "maximum": 255},
            "signed": {"type": "integer", "minimum": -32768, "maximum": 32767},
            "long": {"type": "integer", "minimum": 0},
            "float": {"type": "number", "exclusiveMinimum": -0.5, "multipleOf": 0.5},
            "maybe": {"type": "boolean"},
            "list": {
                "type": "array", "minItems": 1, "maxItems": 3, "uniqueItems": true,
                "items": {"description": "How it is done.", "enum": ["one-by-one", "all"]}
            },
            "set": {"type": "array", "uniqueItems": true, "items": {"type": "string"}},
            "map": {
                "type": "object",
                "additionalProperties": {"type": "array", "items": {"type": "integer", "minimum": -128, "maximum": 127}}
            },
            "inner": {
                "title": "Nested", "description": "In place of the type's own.", "type": "object",
                "additionalProperties": false, "properties": {"url": {"type": "string", "format": "uri"}}
            },
            "boxed": {
                "description": "Of the type.", "type": "object", "additionalProperties": false,
                "properties": {"url": {"type": "string", "format": "uri"}}
            },
            "NAMED": {"type": "string", "maxLength": 9},
            "by-hand": {"description": "Whatever it is.", "type": ["string", "null"], "maxLength": 5, "default": null}
        },
        "required": ["some-text", "byte", "signed", "long", "float", "inner", "boxed", "NAMED"],
        "if": {"required": ["maybe"]},
        "then": {"required": ["by-hand"]}
    });
    assert_eq!(schema!(All), expected);
}

#[test]
fn serde_requires_what_the_schema_requires() {
    let whole = json!({"some-text": "a", "byte": 1, "signed": -1, "long": 1, "float": 0.5, "inner": {}, "boxed": {}, "NAMED": "x"});
    let all: All = serde_json::from_value(whole.clone()).unwrap();
    assert_eq!((all.bounded, all.maybe, &all.list), (1, None, &Vec::new()));
    assert_eq!((&all.r#type, all.inner.url.as_str(), &all._unseen), (&Newtype("x".to_owned()), "", &Unseen));
    let written = serde_json::to_value(&all).unwrap();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&schema!(All)["properties"]), names(&written), "all that serde knows, and nothing else");
    for required in schema!(All)["required"].as_array().unwrap() {
        let mut less = whole.clone();
        less.as_object_mut().unwrap().remove(required.as_str().unwrap());
        assert!(serde_json::from_value::<All>(less).is_err(), "{required}");
    }
    for mode in schema!(Mode)["enum"].as_array().unwrap() {
        serde_json::from_value::<Mode>(mode.clone()).unwrap();
    }
}

#[test]
fn an_enum_with_a_tag_is_one_of_some_objects() {
    let expected = json!({
        "description": "One way or another.",
        "oneOf": [
            {
                "description": "As it is.", "type": "object", "additionalProperties": false,
                "properties": {"kind": {"const": "plain-text"}}, "required": ["kind"]
            },
            {
                "title": "JSON", "description": "With settings.", "type": "object", "additionalProperties": false,
                "properties": {
                    "kind": {"const": "as-json"},
                    "indentBy": {"description": "How deep.", "type": "integer", "minimum": 0, "maximum": 9},
                    "sortedKeys": {"type": "boolean"}
                },
                "required": ["kind", "indentBy"]
            }
        ]
    });
    assert_eq!(schema!(Either), expected);
    let read = |value| serde_json::from_value::<Either>(value).unwrap();
    assert_eq!(read(json!({"kind": "plain-text"})), Either::PlainText);
    assert_eq!(read(json!({"kind": "as-json", "indentBy": 2})), Either::AsJson { indent_by: 2, sorted_keys: None });
}

#[test]
fn doubtful_bounds_are_the_fields_own_alone() {
    let text = serde_json::to_string(&schema!(All)).unwrap();
    assert!(!text.contains("4294967295"));
}
