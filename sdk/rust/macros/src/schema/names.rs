//! What `#[serde(…)]` says of names and of what may be left out.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Error, Expr, LitStr, Token};

/// How `rename_all` writes names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rename {
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

/// What stands at a struct or an enum.
#[derive(Default)]
pub struct Container {
    pub rename_all: Option<Rename>,
    /// Of the fields of an enum's variants.
    pub rename_all_fields: Option<Rename>,
    /// The member that says which variant an object is.
    pub tag: Option<LitStr>,
    /// Each field has a default.
    pub default: bool,
    /// It is read as its one field.
    pub transparent: bool,
}

/// What stands at a field or a variant.
#[derive(Default)]
pub struct Field {
    rename: Option<String>,
    pub default: bool,
    pub skipped: bool,
}

impl Container {
    /// # Errors
    /// A shape that has no schema here.
    pub fn of(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut container = Self::default();
        each(attributes, |meta| {
            if meta.path.is_ident("rename_all") {
                if let Some(name) = for_reading(&meta)? {
                    container.rename_all = Some(Rename::parse(&name)?);
                }
                return Ok(());
            }
            if meta.path.is_ident("rename_all_fields") {
                if let Some(name) = for_reading(&meta)? {
                    container.rename_all_fields = Some(Rename::parse(&name)?);
                }
                return Ok(());
            }
            if meta.path.is_ident("tag") {
                container.tag = Some(meta.value()?.parse()?);
                return Ok(());
            }
            container.default |= meta.path.is_ident("default");
            container.transparent |= meta.path.is_ident("transparent");
            for unknown in ["untagged", "content", "from", "try_from", "remote"] {
                if meta.path.is_ident(unknown) {
                    return Err(meta.error(format!("Schema does not know serde({unknown})")));
                }
            }
            skip_value(&meta)
        })?;
        Ok(container)
    }
}

impl Field {
    /// # Errors
    /// A shape that has no schema here.
    pub fn of(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut field = Self::default();
        each(attributes, |meta| {
            if meta.path.is_ident("rename") {
                if let Some(name) = for_reading(&meta)? {
                    field.rename = Some(name.value());
                }
                return Ok(());
            }
            if meta.path.is_ident("flatten") || meta.path.is_ident("other") {
                return Err(meta.error("Schema does not know fields that are not named: objects are closed"));
            }
            field.default |= meta.path.is_ident("default");
            field.skipped |= meta.path.is_ident("skip") || meta.path.is_ident("skip_deserializing");
            skip_value(&meta)
        })?;
        Ok(field)
    }

    /// The name in JSON.
    pub fn name(&self, ident: &str, all: Option<Rename>, apply: fn(Rename, &str) -> String) -> String {
        match (&self.rename, all) {
            (Some(name), _) => name.clone(),
            (None, Some(all)) => apply(all, ident),
            (None, None) => ident.to_owned(),
        }
    }
}

impl Rename {
    fn parse(name: &LitStr) -> syn::Result<Self> {
        Ok(match name.value().as_str() {
            "lowercase" => Self::Lower,
            "UPPERCASE" => Self::Upper,
            "PascalCase" => Self::Pascal,
            "camelCase" => Self::Camel,
            "snake_case" => Self::Snake,
            "SCREAMING_SNAKE_CASE" => Self::ScreamingSnake,
            "kebab-case" => Self::Kebab,
            "SCREAMING-KEBAB-CASE" => Self::ScreamingKebab,
            other => return Err(Error::new(name.span(), format!("serde has no case {other:?}"))),
        })
    }

    /// Writes a field's name, which is in snake case.
    pub fn field(self, name: &str) -> String {
        match self {
            Self::Lower | Self::Snake => name.to_owned(),
            Self::Upper | Self::ScreamingSnake => name.to_ascii_uppercase(),
            Self::Pascal => name.split('_').map(capitalized).collect(),
            Self::Camel => uncapitalized(&Self::Pascal.field(name)),
            Self::Kebab => name.replace('_', "-"),
            Self::ScreamingKebab => name.to_ascii_uppercase().replace('_', "-"),
        }
    }

    /// Writes a variant's name, which is in Pascal case.
    pub fn variant(self, name: &str) -> String {
        let snake = || {
            let mut snake = String::new();
            for (at, letter) in name.char_indices() {
                if at > 0 && letter.is_uppercase() {
                    snake.push('_');
                }
                snake.push(letter.to_ascii_lowercase());
            }
            snake
        };
        match self {
            Self::Pascal => name.to_owned(),
            Self::Lower => name.to_ascii_lowercase(),
            Self::Upper => name.to_ascii_uppercase(),
            Self::Camel => uncapitalized(name),
            Self::Snake => snake(),
            other => other.field(&snake()),
        }
    }
}

fn capitalized(word: &str) -> String {
    first_letter(word, |letter| letter.to_ascii_uppercase())
}

fn uncapitalized(word: &str) -> String {
    first_letter(word, |letter| letter.to_ascii_lowercase())
}

fn first_letter(word: &str, change: fn(char) -> char) -> String {
    let mut letters = word.chars();
    letters.next().map(change).into_iter().chain(letters).collect()
}

/// Goes through all that stands in `#[serde(…)]`.
fn each(attributes: &[Attribute], mut see: impl FnMut(ParseNestedMeta<'_>) -> syn::Result<()>) -> syn::Result<()> {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        attribute.parse_nested_meta(&mut see)?;
    }
    Ok(())
}

/// `x = "…"`, or `x(deserialize = "…")`: none where only writing is meant.
fn for_reading(meta: &ParseNestedMeta<'_>) -> syn::Result<Option<LitStr>> {
    if meta.input.peek(Token![=]) {
        return meta.value()?.parse().map(Some);
    }
    let mut found = None;
    meta.parse_nested_meta(|inner| {
        let value: LitStr = inner.value()?.parse()?;
        if inner.path.is_ident("deserialize") {
            found = Some(value);
        }
        Ok(())
    })?;
    Ok(found)
}

/// Serde's own business.
fn skip_value(meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<Expr>()?;
    } else if meta.input.peek(syn::token::Paren) {
        meta.parse_nested_meta(|inner| skip_value(&inner))?;
    }
    Ok(())
}
