//! `#[derive(Schema)]`.

mod enums;
mod keywords;
mod names;
mod structs;

use self::keywords::Keywords;
use proc_macro2::TokenStream;
use quote::quote;
use serde_json::{Map, Value};
use syn::{Data, DeriveInput, Error, Fields};

/// The implementation of `Schema` for a type.
pub fn derive(input: &DeriveInput) -> syn::Result<TokenStream> {
    let keywords = Keywords::of_type(&input.attrs)?;
    let rules = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => structs::rules(&input.attrs, fields, &keywords)?,
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => structs::newtype(fields, &keywords)?,
            _ => return Err(Error::new_spanned(&input.ident, "Schema is for structs with named fields, or one field")),
        },
        Data::Enum(data) => enums::rules(&input.attrs, data, &keywords)?,
        Data::Union(_) => return Err(Error::new_spanned(&input.ident, "Schema is not for unions")),
    };
    let (name, (title, description)) = (&input.ident, keywords.about());
    let (generics, arguments, conditions) = input.generics.split_for_impl();
    Ok(quote! {
        impl #generics ::railhead_sdk::Schema for #name #arguments #conditions {
            const RULES: &'static [::railhead_sdk::expanded::Piece] = &[#(#rules),*];
            const TITLE: &'static str = #title;
            const DESCRIPTION: &'static str = #description;
        }
    })
}

/// A piece of a schema's text.
fn text(text: &str) -> TokenStream {
    quote!(::railhead_sdk::expanded::Piece::Text(#text))
}

/// Members of an object, with a comma between them and none around.
fn members(members: &Map<String, Value>) -> String {
    let all: Vec<String> =
        members.iter().map(|(key, value)| format!("{}:{value}", Value::from(key.as_str()))).collect();
    all.join(",")
}

#[cfg(test)]
mod tests;
