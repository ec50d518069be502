//! Structs: objects, or what their one field is.

use super::keywords::Keywords;
use super::names::{Container, Field, Rename};
use super::{members, text};
use proc_macro2::TokenStream;
use quote::quote;
use serde_json::Value;
use syn::{Attribute, Error, FieldsNamed, FieldsUnnamed, Type};

/// The rules of an object with these fields: nothing else may stand in it.
pub fn rules(attributes: &[Attribute], fields: &FieldsNamed, keywords: &Keywords) -> syn::Result<Vec<TokenStream>> {
    let container = Container::of(attributes)?;
    if let Some(tag) = &container.tag {
        return Err(Error::new(tag.span(), "Schema knows serde(tag) of enums only"));
    }
    if container.transparent {
        return Err(Error::new_spanned(fields, "Schema knows a transparent struct as one without names: struct A(B);"));
    }
    let mut pieces = object(&fields.named, container.rename_all, container.default, None)?;
    pieces.extend(more(keywords));
    Ok(pieces)
}

/// The rules of an object. `all_default`: no field is required. `tag`: the name of a member that says which variant of an enum
/// this is, and its value.
pub fn object<'a>(
    fields: impl IntoIterator<Item = &'a syn::Field>,
    rename: Option<Rename>,
    all_default: bool,
    tag: Option<(&str, &str)>,
) -> syn::Result<Vec<TokenStream>> {
    let mut pieces = vec![text(r#""type":"object","additionalProperties":false,"properties":{"#)];
    let mut required = Vec::new();
    let mut first = true;
    if let Some((name, value)) = tag {
        pieces.push(text(&format!("{}:{{\"const\":{}}}", Value::from(name), Value::from(value))));
        required.push(Value::from(name));
        first = false;
    }
    for field in fields {
        let serde = Field::of(&field.attrs)?;
        if serde.skipped {
            continue;
        }
        let ident = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
        let name = serde.name(ident.trim_start_matches("r#"), rename, Rename::field);
        let comma = if first { "" } else { "," };
        first = false;
        pieces.push(text(&format!("{comma}{}:{{", Value::from(name.as_str()))));
        pieces.extend(property(&field.ty, &Keywords::of_field(&field.attrs)?));
        pieces.push(text("}"));
        if !(serde.default || all_default || is_option(&field.ty)) {
            required.push(Value::from(name));
        }
    }
    pieces.push(text("}"));
    if !required.is_empty() {
        pieces.push(text(&format!(",\"required\":{}", Value::from(required))));
    }
    Ok(pieces)
}

/// The rules of a struct of one field: `serde` reads it as that field.
pub fn newtype(fields: &FieldsUnnamed, keywords: &Keywords) -> syn::Result<Vec<TokenStream>> {
    let mut pieces = Vec::new();
    for field in &fields.unnamed {
        let own = Keywords::of_field(&field.attrs)?;
        let ty = &field.ty;
        let nested = match own.raw() {
            Some(raw) => text(&members(raw)),
            None => quote!(::railhead_sdk::expanded::Piece::Nested(<#ty as ::railhead_sdk::Schema>::RULES)),
        };
        pieces.push(nested);
        pieces.extend(more(&own));
    }
    pieces.extend(more(keywords));
    Ok(pieces)
}

/// All members of a field's schema.
fn property(ty: &Type, keywords: &Keywords) -> Vec<TokenStream> {
    let (title, description) = keywords.about();
    if let Some(raw) = keywords.raw() {
        return [text(&title), text(&description), text(&members(raw))].into_iter().chain(more(keywords)).collect();
    }
    let of_type = quote!(<#ty as ::railhead_sdk::Schema>);
    let mut pieces = vec![
        about(&title, &quote!(#of_type::TITLE)),
        // An empty description of its own says that the type's is not wanted either.
        if keywords.is_silent() { text("") } else { about(&description, &quote!(#of_type::DESCRIPTION)) },
    ];
    for (bound, name) in [("minimum", quote!(MINIMUM)), ("maximum", quote!(MAXIMUM))] {
        if !keywords.has(bound) {
            pieces.push(quote!(::railhead_sdk::expanded::Piece::Text(#of_type::#name)));
        }
    }
    pieces.push(quote!(::railhead_sdk::expanded::Piece::Nested(#of_type::RULES)));
    pieces.extend(more(keywords));
    pieces
}

fn about(own: &str, of_type: &TokenStream) -> TokenStream {
    quote!(::railhead_sdk::expanded::Piece::Text(::railhead_sdk::expanded::about(#own, #of_type)))
}

/// Keywords after the rules.
pub fn more(keywords: &Keywords) -> Option<TokenStream> {
    let more = keywords.more();
    (!more.is_empty()).then(|| text(&format!(",{}", members(more))))
}

/// Serde takes a field of this type as absent by itself.
fn is_option(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|segment| segment.ident == "Option"))
}
