//! `#[schema(…)]` and doc comments.

use crate::json;
use serde_json::{Map, Value};
use syn::meta::ParseNestedMeta;
use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta};

/// What an author says of a field or a type, beside its Rust type.
#[derive(Default)]
pub struct Keywords {
    title: Option<String>,
    description: Option<String>,
    raw: Option<Map<String, Value>>,
    more: Map<String, Value>,
}

/// What a keyword's value is.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    Count,
    Number,
    Flag,
    List,
    Any,
}

/// The attribute's words and JSON Schema's.
const KEYWORDS: [(&str, &str, Shape); 18] = [
    ("pattern", "pattern", Shape::Text),
    ("format", "format", Shape::Text),
    ("min_length", "minLength", Shape::Count),
    ("max_length", "maxLength", Shape::Count),
    ("minimum", "minimum", Shape::Number),
    ("maximum", "maximum", Shape::Number),
    ("exclusive_minimum", "exclusiveMinimum", Shape::Number),
    ("exclusive_maximum", "exclusiveMaximum", Shape::Number),
    ("multiple_of", "multipleOf", Shape::Number),
    ("min_items", "minItems", Shape::Count),
    ("max_items", "maxItems", Shape::Count),
    ("unique_items", "uniqueItems", Shape::Flag),
    ("min_properties", "minProperties", Shape::Count),
    ("max_properties", "maxProperties", Shape::Count),
    ("examples", "examples", Shape::List),
    ("one_of", "oneOf", Shape::List),
    ("any_of", "anyOf", Shape::List),
    ("default", "default", Shape::Any),
];

impl Keywords {
    /// Those of a struct or an enum. There is no `raw` for these: what is added stands in `extend`.
    pub fn of_type(attributes: &[Attribute]) -> syn::Result<Self> {
        Self::of(attributes, false)
    }

    /// Those of a field.
    pub fn of_field(attributes: &[Attribute]) -> syn::Result<Self> {
        Self::of(attributes, true)
    }

    fn of(attributes: &[Attribute], raw: bool) -> syn::Result<Self> {
        let mut keywords = Self { description: documentation(attributes), ..Self::default() };
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("schema")) {
            attribute.parse_nested_meta(|meta| keywords.take(&meta, raw))?;
        }
        Ok(keywords)
    }

    fn take(&mut self, meta: &ParseNestedMeta<'_>, raw: bool) -> syn::Result<()> {
        let word = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match word.as_str() {
            "title" => self.title = Some(meta.value()?.parse::<LitStr>()?.value()),
            "description" => self.description = Some(meta.value()?.parse::<LitStr>()?.value()),
            "raw" if raw => self.raw = Some(json::object_or_text(meta.value()?)?),
            // On a type these are additions: the rest is what the derive is for.
            "extend" | "raw" => {
                for (key, value) in json::object_or_text(meta.value()?)? {
                    self.add(meta, &key, value)?;
                }
            }
            word => {
                let Some((_, keyword, shape)) = KEYWORDS.iter().find(|(known, ..)| *known == word) else {
                    return Err(meta.error(unknown(word)));
                };
                let value = meta.value()?;
                let span = value.span();
                let value = json::value(value)?;
                shape.check(&value).map_err(|wanted| syn::Error::new(span, format!("{word} is {wanted}")))?;
                self.add(meta, keyword, value)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, meta: &ParseNestedMeta<'_>, keyword: &str, value: Value) -> syn::Result<()> {
        match self.more.insert(keyword.to_owned(), value) {
            None => Ok(()),
            Some(_) => Err(meta.error(format!("{keyword} is said twice"))),
        }
    }

    /// Title and description as members with a comma behind, or nothing.
    pub fn about(&self) -> (String, String) {
        let member = |key: &str, text: &Option<String>| match text.as_deref() {
            None | Some("") => String::new(),
            Some(text) => format!("\"{key}\":{},", Value::from(text)),
        };
        (member("title", &self.title), member("description", &self.description))
    }

    /// Somebody wrote that there is no description.
    pub fn is_silent(&self) -> bool {
        self.description.as_deref() == Some("")
    }

    /// Stands for the rules of the field's type.
    pub fn raw(&self) -> Option<&Map<String, Value>> {
        self.raw.as_ref()
    }

    /// Stands beside the rules.
    pub fn more(&self) -> &Map<String, Value> {
        &self.more
    }

    pub fn has(&self, keyword: &str) -> bool {
        self.more.contains_key(keyword)
    }
}

impl Shape {
    fn check(self, value: &Value) -> Result<(), &'static str> {
        let (fits, wanted) = match self {
            Self::Text => (value.is_string(), "a string"),
            Self::Count => (value.is_u64(), "a whole number"),
            Self::Number => (value.is_number(), "a number"),
            Self::Flag => (value.is_boolean(), "true or false"),
            Self::List => (value.is_array(), "a list: [..]"),
            Self::Any => (true, "JSON"),
        };
        if fits { Ok(()) } else { Err(wanted) }
    }
}

fn unknown(word: &str) -> String {
    let known: Vec<&str> = ["title", "description", "raw", "extend"]
        .into_iter()
        .chain(KEYWORDS.iter().map(|(known, ..)| *known))
        .collect();
    format!("schema has no word {word:?}; it has {}", known.join(", "))
}

/// The doc comment as one text: lines of a paragraph joined, paragraphs kept apart.
fn documentation(attributes: &[Attribute]) -> Option<String> {
    let mut text = String::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        let Meta::NameValue(line) = &attribute.meta else { continue };
        let Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) = &line.value else { continue };
        let line = line.value();
        let line = line.trim();
        if line.is_empty() {
            text.push_str("\n\n");
        } else {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push(' ');
            }
            text.push_str(line);
        }
    }
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
