//! The macros of `railhead-sdk`, which documents and re-exports them.

mod json;
mod manifest;
mod schema;

use proc_macro::TokenStream;
use syn::{DeriveInput, LitStr, parse_macro_input};

/// Makes the JSON Schema of a struct or an enum, as `serde` reads it.
///
/// A doc comment is the description. `#[serde(rename, rename_all, default, skip)]` count. A field is required unless it is an
/// `Option` or has a default. Objects are closed. `#[schema(…)]` says what the type does not: see `sdk/README.md`.
#[proc_macro_derive(Schema, attributes(schema, serde))]
pub fn derive_schema(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    schema::derive(&input).unwrap_or_else(|error| error.into_compile_error()).into()
}

/// The members of a manifest's file, as a literal.
#[doc(hidden)]
#[proc_macro]
pub fn manifest_members(input: TokenStream) -> TokenStream {
    let file = parse_macro_input!(input as LitStr);
    manifest::members(&file).unwrap_or_else(|error| error.into_compile_error()).into()
}

/// The whole path of a manifest's file, as a literal.
#[doc(hidden)]
#[proc_macro]
pub fn tracked(input: TokenStream) -> TokenStream {
    let file = parse_macro_input!(input as LitStr);
    manifest::tracked(&file).unwrap_or_else(|error| error.into_compile_error()).into()
}
