//! A connector's `manifest.json`, read while the connector is compiled.
//!
//! The host judges manifests, and `railhead plugin test` before it. Looked at here is what would only be noticed there, and
//! is known now: a file that is not there or not JSON, and fields that nobody knows.

use proc_macro2::TokenStream;
use quote::quote;
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::{env, fs};
use syn::{Error, LitStr};

/// The contract that the bindings are of.
const CONTRACT: &str = "0.1.0";

const KNOWN: [&str; 13] = [
    "name",
    "contract",
    "label",
    "icon",
    "category",
    "setup",
    "least_grant",
    "credentials",
    "origins",
    "batch",
    "max_sessions",
    "hand_over",
    "target",
];

const REQUIRED: [&str; 4] = ["name", "label", "category", "origins"];

/// The members of the file's object, compact, without the braces.
pub fn members(file: &LitStr) -> syn::Result<TokenStream> {
    let fail = |message: String| Error::new(file.span(), format!("{}: {message}", file.value()));
    let path = path(file)?;
    let text =
        fs::read_to_string(&path).map_err(|error| fail(format!("{error} (looked for it at {})", path.display())))?;
    let manifest = checked(&text).map_err(fail)?;
    let object = Value::Object(manifest).to_string();
    let members = object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
    Ok(quote!(#members))
}

/// Where the file is, for `include_bytes!`.
pub fn tracked(file: &LitStr) -> syn::Result<TokenStream> {
    let path = path(file)?;
    let path = path.to_str().ok_or_else(|| Error::new(file.span(), "the path to the package is not UTF-8"))?;
    Ok(quote!(#path))
}

fn path(file: &LitStr) -> syn::Result<PathBuf> {
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .ok_or_else(|| Error::new(file.span(), "CARGO_MANIFEST_DIR is not set: compile with cargo"))?;
    Ok(PathBuf::from(package).join(file.value()))
}

fn checked(text: &str) -> Result<Map<String, Value>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Value::Object(mut manifest) = value else {
        return Err("a manifest is a JSON object".to_owned());
    };
    for key in manifest.keys() {
        match key.as_str() {
            "config_schema" => {
                return Err("leave config_schema out: it is derived from the configuration's type".to_owned());
            }
            "version" => return Err("leave version out: it is that of Cargo.toml".to_owned()),
            key if KNOWN.contains(&key) => {}
            key => return Err(format!("a manifest has no field {key:?}; it has {}", KNOWN.join(", "))),
        }
    }
    if let Some(missing) = REQUIRED.iter().find(|key| !manifest.contains_key(**key)) {
        return Err(format!("the field {missing:?} is missing"));
    }
    match manifest.get("contract") {
        None => {}
        Some(contract) if contract == CONTRACT => {}
        Some(contract) => return Err(format!("contract is {contract}, and this SDK is of {CONTRACT:?}; leave it out")),
    }
    manifest.insert("contract".to_owned(), CONTRACT.into());
    Ok(manifest)
}

#[cfg(test)]
mod tests;
