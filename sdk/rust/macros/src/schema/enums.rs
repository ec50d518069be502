//! Enums: one of some strings, or, with a tag, one of some objects.

use super::keywords::Keywords;
use super::names::{Container, Field, Rename};
use super::{structs, text};
use proc_macro2::TokenStream;
use serde_json::Value;
use syn::{Attribute, DataEnum, Error, Fields, Variant};

/// The rules of an enum.
pub fn rules(attributes: &[Attribute], data: &DataEnum, keywords: &Keywords) -> syn::Result<Vec<TokenStream>> {
    let container = Container::of(attributes)?;
    let mut named = Vec::new();
    for variant in &data.variants {
        let serde = Field::of(&variant.attrs)?;
        if !serde.skipped {
            named.push((variant, serde.name(&variant.ident.to_string(), container.rename_all, Rename::variant)));
        }
    }
    let mut pieces = match &container.tag {
        None => vec![strings(&named)?],
        Some(tag) => objects(&named, &container, &tag.value())?,
    };
    pieces.extend(structs::more(keywords));
    Ok(pieces)
}

/// The strings that `serde` knows.
fn strings(named: &[(&Variant, String)]) -> syn::Result<TokenStream> {
    if let Some((variant, _)) = named.iter().find(|(variant, _)| !matches!(variant.fields, Fields::Unit)) {
        let message = "a variant with fields needs #[serde(tag = \"..\")] at its enum, so that one member says which it is; or write \
                       the schema of the field that has this type by hand: #[schema(raw = {..})]";
        return Err(Error::new_spanned(variant, message));
    }
    let values: Vec<Value> = named.iter().map(|(_, name)| name.as_str().into()).collect();
    Ok(text(&format!("\"enum\":{}", Value::from(values))))
}

/// An object for each variant; the tag's value tells them apart.
fn objects(named: &[(&Variant, String)], container: &Container, tag: &str) -> syn::Result<Vec<TokenStream>> {
    let mut pieces = vec![text("\"oneOf\":[")];
    for (number, (variant, name)) in named.iter().enumerate() {
        let fields = match &variant.fields {
            Fields::Unit => None,
            Fields::Named(fields) => Some(&fields.named),
            Fields::Unnamed(_) => {
                return Err(Error::new_spanned(variant, "a variant with a tag has named fields, or none"));
            }
        };
        let keywords = Keywords::of_type(&variant.attrs)?;
        let (title, description) = keywords.about();
        let comma = if number == 0 { "" } else { "," };
        pieces.push(text(&format!("{comma}{{{title}{description}")));
        let rename = Container::of(&variant.attrs)?.rename_all.or(container.rename_all_fields);
        pieces.extend(structs::object(fields.into_iter().flatten(), rename, false, Some((tag, name)))?);
        pieces.extend(structs::more(&keywords));
        pieces.push(text("}"));
    }
    pieces.push(text("]"));
    Ok(pieces)
}
