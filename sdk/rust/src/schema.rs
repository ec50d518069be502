//! JSON Schema of Rust types, put together by the compiler: nothing of it runs in a session.
//!
//! [`derive@crate::Schema`] implements [`Schema`] for structs and enums. What it derives is in terms of JSON Schema 2020-12.

/// A type whose JSON has a schema.
///
/// Texts are members of a schema's object, each with a comma before or after it as said, so that they can be put together
/// without being read.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no JSON Schema",
    label = "not known to `Schema`",
    note = "derive `Schema` for it, or write the field's schema by hand: `#[schema(raw = {{\"type\": \"string\"}})]`"
)]
pub trait Schema {
    /// Members that say which JSON fits, without title, description and bounds of numbers. Never empty; no comma around it.
    const RULES: &'static [Piece];
    /// `"title":"…",` or empty.
    const TITLE: &'static str = "";
    /// `"description":"…",` or empty.
    const DESCRIPTION: &'static str = "";
    /// `"minimum":…,` or empty. A bound of a field's own takes its place.
    const MINIMUM: &'static str = "";
    /// `"maximum":…,` or empty. A bound of a field's own takes its place.
    const MAXIMUM: &'static str = "";
}

/// A part of a text that is put together at compile time.
#[derive(Clone, Copy, Debug)]
pub enum Piece {
    /// Stands there as it is.
    Text(&'static str),
    /// More of them.
    Nested(&'static [Piece]),
}

/// The first member of a schema that stands alone.
#[doc(hidden)]
pub const SCHEMA_2020_12: &str = r#""$schema":"https://json-schema.org/draft/2020-12/schema","#;

macro_rules! plain {
    ($rules:literal, $($type:ty),+) => { $(
        impl Schema for $type {
            const RULES: &'static [Piece] = &[Piece::Text($rules)];
        }
    )+ };
}

plain!(r#""type":"string""#, String, char, Box<str>);
plain!(r#""type":"boolean""#, bool);
plain!(r#""type":"number""#, f64, f32);

macro_rules! integers {
    ($($type:ty: $minimum:literal, $maximum:literal;)+) => { $(
        impl Schema for $type {
            const RULES: &'static [Piece] = &[Piece::Text(r#""type":"integer""#)];
            const MINIMUM: &'static str = concat!("\"minimum\":", $minimum, ",");
            const MAXIMUM: &'static str = concat!("\"maximum\":", $maximum, ",");
        }
    )+ };
}

integers! {
    u8: "0", "255";
    u16: "0", "65535";
    u32: "0", "4294967295";
    i8: "-128", "127";
    i16: "-32768", "32767";
    i32: "-2147483648", "2147483647";
}

// Bounds past 2^53 are none that a form or another reader of JSON could hold.
impl Schema for u64 {
    const RULES: &'static [Piece] = &[Piece::Text(r#""type":"integer""#)];
    const MINIMUM: &'static str = r#""minimum":0,"#;
}

impl Schema for i64 {
    const RULES: &'static [Piece] = &[Piece::Text(r#""type":"integer""#)];
}

/// A field that may be left out. That it may, the struct says that has it.
impl<T: Schema> Schema for Option<T> {
    const RULES: &'static [Piece] = T::RULES;
    const TITLE: &'static str = T::TITLE;
    const DESCRIPTION: &'static str = T::DESCRIPTION;
    const MINIMUM: &'static str = T::MINIMUM;
    const MAXIMUM: &'static str = T::MAXIMUM;
}

impl<T: Schema> Schema for Box<T> {
    const RULES: &'static [Piece] = T::RULES;
    const TITLE: &'static str = T::TITLE;
    const DESCRIPTION: &'static str = T::DESCRIPTION;
    const MINIMUM: &'static str = T::MINIMUM;
    const MAXIMUM: &'static str = T::MAXIMUM;
}

/// The members of a whole schema of a type, in the order that people read.
macro_rules! whole {
    ($before:literal, $type:ty, $after:literal) => {
        &[
            Piece::Text($before),
            Piece::Text(<$type>::TITLE),
            Piece::Text(<$type>::DESCRIPTION),
            Piece::Text(<$type>::MINIMUM),
            Piece::Text(<$type>::MAXIMUM),
            Piece::Nested(<$type>::RULES),
            Piece::Text($after),
        ]
    };
}

impl<T: Schema> Schema for Vec<T> {
    const RULES: &'static [Piece] = whole!(r#""type":"array","items":{"#, T, "}");
}

impl<T: Schema> Schema for std::collections::BTreeSet<T> {
    const RULES: &'static [Piece] = whole!(r#""type":"array","uniqueItems":true,"items":{"#, T, "}");
}

impl<T: Schema> Schema for std::collections::BTreeMap<String, T> {
    const RULES: &'static [Piece] = whole!(r#""type":"object","additionalProperties":{"#, T, "}");
}

impl<T: Schema> Schema for std::collections::HashMap<String, T> {
    const RULES: &'static [Piece] = whole!(r#""type":"object","additionalProperties":{"#, T, "}");
}

/// Says a type's own word only where a field has none.
#[doc(hidden)]
pub const fn about(own: &'static str, of_type: &'static str) -> &'static str {
    if own.is_empty() { of_type } else { own }
}

/// How many bytes pieces have together.
#[doc(hidden)]
pub const fn length(pieces: &[Piece]) -> usize {
    let (mut total, mut at) = (0, 0);
    while at < pieces.len() {
        total += match pieces[at] {
            Piece::Text(text) => text.len(),
            Piece::Nested(nested) => length(nested),
        };
        at += 1;
    }
    total
}

/// Puts pieces together; `N` is their [`length`].
#[doc(hidden)]
pub const fn join<const N: usize>(pieces: &[Piece]) -> [u8; N] {
    let mut bytes = [0; N];
    write(&mut bytes, 0, pieces);
    bytes
}

const fn write(bytes: &mut [u8], mut to: usize, pieces: &[Piece]) -> usize {
    let mut at = 0;
    while at < pieces.len() {
        match pieces[at] {
            Piece::Text(text) => {
                let (_, rest) = bytes.split_at_mut(to);
                let (place, _) = rest.split_at_mut(text.len());
                place.copy_from_slice(text.as_bytes());
                to += text.len();
            }
            Piece::Nested(nested) => to = write(bytes, to, nested),
        }
        at += 1;
    }
    to
}

/// What texts put together are.
#[doc(hidden)]
pub const fn text(bytes: &'static [u8]) -> &'static str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => "",
    }
}
