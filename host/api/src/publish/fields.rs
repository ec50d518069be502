//! The members of one event's JSON object, taken one by one; the data's bytes are never re-written.

use crate::codes::{self, Code};
use crate::json::token;
use crate::problem::FieldError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// Members that were not taken yet, and what was wrong with those that were.
#[derive(Debug)]
pub struct Fields<'a> {
    body: &'a Bytes,
    members: BTreeMap<String, &'a RawValue>,
    /// Wrong fields so far.
    pub errors: Vec<FieldError>,
}

/// Members of an event, or of its attributes, that are looked at: more are refused before anything is built of them.
const MAX_MEMBERS: usize = 64;

/// An object's members; `Err` past [`MAX_MEMBERS`].
struct Members<'a>(Result<BTreeMap<String, &'a RawValue>, ()>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Object<'a> {
            type Value = Members<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                for _ in 0..MAX_MEMBERS {
                    let Some((name, raw)) = map.next_entry::<String, &'de RawValue>()? else {
                        return Ok(Members(Ok(members)));
                    };
                    members.insert(name, raw);
                }
                let mut more = false;
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                    more = true;
                }
                Ok(Members(if more { Err(()) } else { Ok(members) }))
            }
        }
        deserializer.deserialize_map(Object(PhantomData))
    }
}

impl<'a> Fields<'a> {
    /// Reads an object that stands in `body`.
    ///
    /// # Errors
    /// For anything but an object, and for one with too many members.
    pub fn read(body: &'a Bytes, object: &'a RawValue) -> Result<Self, FieldError> {
        let Members(members) = serde_json::from_str(object.get())
            .map_err(|_| FieldError::new("", &codes::WRONG_TYPE, "Expected an event: a JSON object."))?;
        let members = members.map_err(|()| {
            FieldError::new("", &codes::INVALID_VALUE, format!("Expected at most {MAX_MEMBERS} fields."))
        })?;
        Ok(Self { body, members, errors: Vec::new() })
    }

    /// Notes a wrong member.
    pub fn error(&mut self, name: &str, code: &'static Code, detail: impl Into<String>) {
        self.errors.push(FieldError::new(format!("/{}", token(name)), code, detail));
    }

    fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        self.members.remove(name).filter(|raw| raw.get() != "null")
    }

    /// A member that is a string.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let raw = self.take(name)?;
        let text = serde_json::from_str(raw.get()).ok();
        if text.is_none() {
            self.error(name, &codes::WRONG_TYPE, "Expected a string.");
        }
        text
    }

    /// The payload: the very bytes of `data`; the text of a string where the media type is not JSON; or `data_base64`.
    pub fn data(&mut self, content_type: Option<&str>) -> Option<Bytes> {
        // `"data": null` is a payload of its own.
        let data = self.members.remove("data");
        let base64 = self.text("data_base64");
        match (data, base64) {
            (Some(_), Some(_)) => {
                self.error("data_base64", &codes::INVALID_VALUE, "Give `data` or `data_base64`, not both.");
                None
            }
            (Some(raw), None) => Some(self.bytes_of(raw, content_type)),
            (None, Some(text)) => match STANDARD.decode(text) {
                Ok(bytes) => Some(bytes.into()),
                Err(_) => {
                    self.error("data_base64", &codes::INVALID_VALUE, "Expected base64 (RFC 4648, with padding).");
                    Some(Bytes::new())
                }
            },
            (None, None) => None,
        }
    }

    fn bytes_of(&self, raw: &'a RawValue, content_type: Option<&str>) -> Bytes {
        if content_type.is_none_or(is_json) {
            return self.body.slice_ref(raw.get().as_bytes());
        }
        match serde_json::from_str::<String>(raw.get()) {
            Ok(text) => text.into(),
            Err(_) => self.body.slice_ref(raw.get().as_bytes()),
        }
    }

    /// The member `attributes` of an event of ours.
    pub fn attributes(&mut self) -> BTreeMap<String, String> {
        let Some(raw) = self.take("attributes") else { return BTreeMap::new() };
        match serde_json::from_str::<Members<'a>>(raw.get()) {
            Ok(Members(Ok(members))) => self.collect("/attributes", members),
            Ok(Members(Err(()))) => {
                let detail = format!("Expected at most {} attributes.", super::MAX_ATTRIBUTES);
                self.error("attributes", &codes::INVALID_VALUE, detail);
                BTreeMap::new()
            }
            Err(_) => {
                self.error("attributes", &codes::WRONG_TYPE, "Expected an object of names and strings.");
                BTreeMap::new()
            }
        }
    }

    /// What is left, as extension attributes of a CloudEvent.
    pub fn rest_as_attributes(&mut self) -> BTreeMap<String, String> {
        let members = std::mem::take(&mut self.members);
        self.collect("", members)
    }

    fn collect(&mut self, pointer: &str, members: BTreeMap<String, &RawValue>) -> BTreeMap<String, String> {
        let mut attributes = BTreeMap::new();
        for (name, raw) in members {
            if raw.get() == "null" {
                continue;
            }
            let value = scalar(raw.get());
            match value.and_then(|value| check_attribute(&name, &value).map(|()| value)) {
                Ok(value) => _ = attributes.insert(name, value),
                Err(detail) => {
                    let pointer = format!("{pointer}/{}", token(&name));
                    self.errors.push(FieldError::new(pointer, &codes::INVALID_VALUE, detail));
                }
            }
        }
        attributes
    }

    /// Refuses what was not taken.
    pub fn refuse_rest(&mut self, known: &str) {
        // The first says what there is; saying it again for each would make small events large errors.
        let mut known = format!(" {known}");
        for name in std::mem::take(&mut self.members).into_keys() {
            self.error(&name, &codes::UNKNOWN_FIELD, format!("An event has no such field.{known}"));
            known.clear();
        }
    }
}

/// True for JSON media types.
fn is_json(content_type: &str) -> bool {
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media == "application/json" || media == "text/json" || media.ends_with("+json")
}

/// CloudEvents attributes are strings, booleans and integers; all become text.
fn scalar(raw: &str) -> Result<String, String> {
    if let Ok(text) = serde_json::from_str::<String>(raw) {
        return Ok(text);
    }
    let plain = raw == "true" || raw == "false" || raw.parse::<i64>().is_ok();
    if plain { Ok(raw.to_owned()) } else { Err("Expected a string, a boolean or an integer.".to_owned()) }
}

/// Names that are not extension attributes.
const RESERVED: [&str; 9] =
    ["id", "type", "source", "time", "subject", "specversion", "data", "datacontenttype", "tenant"];

/// Checks an extension attribute.
///
/// # Errors
/// What is allowed.
pub fn check_attribute(name: &str, value: &str) -> Result<(), String> {
    let named = (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && !RESERVED.contains(&name);
    if !named {
        return Err("Names of attributes are 1 to 64 of a-z and 0-9, and none that CloudEvents defines.".to_owned());
    }
    if value.chars().count() > super::MAX_TEXT || value.chars().any(char::is_control) {
        return Err(format!("Expected at most {} characters, no control characters.", super::MAX_TEXT));
    }
    Ok(())
}
