//! What the schema of a manifest cannot say: that names refer to something, that what is the operator's stays with it, and
//! that people read what it says and nothing else.

use crate::adapter::acts;
use crate::egress::AllowedOrigin;
use railhead_model::Manifest;
use railhead_model::manifest::{CredentialField, CredentialKind, CredentialUse, Origin, Place};
use serde_json::Value;
use std::collections::BTreeSet;

/// The version of the contract that this host speaks.
const CONTRACT: &str = "0.1.0";
/// Characters of a name.
const MAX_NAME: usize = 64;

/// Judges a manifest; says what is wrong with it.
pub(super) fn check(manifest: &Manifest) -> Result<(), String> {
    check_texts(manifest)?;
    if manifest.contract != CONTRACT {
        return Err(format!("contract: this host speaks {CONTRACT}, not {}", manifest.contract));
    }
    if !is_name(&manifest.name) || manifest.name.contains('_') {
        return Err("name: must be kebab-case, at most 64 characters".to_owned());
    }
    if !is_version(&manifest.version) {
        return Err(format!("version: {} is no semantic version, such as 1.2.3", manifest.version));
    }
    if manifest.max_sessions == 0 || manifest.hand_over == 0 {
        return Err("max_sessions and hand_over must be at least 1".to_owned());
    }
    manifest.credentials.iter().try_for_each(|field| check_field(field, manifest))?;
    manifest.origins.iter().try_for_each(|origin| check_origin(origin, manifest))
}

fn check_field(field: &CredentialField, manifest: &Manifest) -> Result<(), String> {
    let wrong = |why: String| Err(format!("credentials: {} {why}", field.name));
    if !is_name(&field.name) {
        return wrong("is no name: lower-case letters, digits, `_` and `-`, at most 64".to_owned());
    }
    if manifest.credentials.iter().filter(|other| other.name == field.name).count() > 1 {
        return wrong("is there twice; a field has exactly one use".to_owned());
    }
    let origins: BTreeSet<&str> = manifest.origins.iter().map(|origin| origin.name.as_str()).collect();
    if let Some(unknown) = field.origins.iter().find(|name| !origins.contains(name.as_str())) {
        return wrong(format!("is bound to the origin {unknown}, which is not declared"));
    }
    // A TLS identity is used by the host alone, and nothing else is one.
    let fits_its_use = (field.kind == CredentialKind::TlsIdentity) == (field.usage == CredentialUse::TlsIdentity);
    // An account's key signs requests by Azure's rules and nothing else.
    let is_azures = field.kind == CredentialKind::AzureKey && field.usage != CredentialUse::SignRequest;
    if !fits_its_use || is_azures {
        return Err(format!("credentials: the use of {} does not go with its kind", field.name));
    }
    if field.operator && !is_bound(field, manifest) {
        let rule = "must name its origins, each a literal or a template, and is neither `shared` nor made by the host";
        return wrong(format!("is the operator's: it {rule}"));
    }
    if field.operator && !leads_somewhere(field, manifest) {
        let rule = "goes to a token endpoint, and there is no other origin that is a literal or a template, where alone what \
                    it is exchanged for may go";
        return wrong(format!("is the operator's: it {rule}"));
    }
    Ok(())
}

/// What is the operator's goes nowhere that a tenant chooses, and nobody reads it back.
fn is_bound(field: &CredentialField, manifest: &Manifest) -> bool {
    let bound = manifest.origins.iter().filter(|origin| field.origins.contains(&origin.name));
    !field.origins.is_empty()
        && bound.into_iter().all(|origin| origin.place.is_fixed())
        && !field.shared
        && field.generate.is_none()
}

/// Nor does what token endpoints give for it: there must be a place where it may go.
fn leads_somewhere(field: &CredentialField, manifest: &Manifest) -> bool {
    let is_exchanged =
        manifest.origins.iter().any(|origin| origin.token_endpoint && field.origins.contains(&origin.name));
    !is_exchanged || manifest.origins.iter().any(|origin| !origin.token_endpoint && origin.place.is_fixed())
}

fn check_origin(origin: &Origin, manifest: &Manifest) -> Result<(), String> {
    let wrong = |why: String| Err(format!("origins: {} {why}", origin.name));
    if !is_name(&origin.name) {
        return wrong("is no name: lower-case letters, digits, `_` and `-`, at most 64".to_owned());
    }
    match &origin.place {
        Place::Literal(url) => match AllowedOrigin::of(&origin.name, url, origin.token_endpoint) {
            Ok(_) => Ok(()),
            Err(failure) => wrong(format!("is no origin: {}", failure.message)),
        },
        Place::Credential(field) if !manifest.credentials.iter().any(|known| known.name == *field) => {
            wrong(format!("is that of the credential {field}, which is not declared"))
        }
        Place::Tcp(_) if origin.token_endpoint => {
            wrong("is a server for streams, which is no token endpoint".to_owned())
        }
        Place::Tcp(tcp) if tcp.port.is_none() && tcp.default_port.is_none() => {
            wrong("needs `port`, `default_port` or both".to_owned())
        }
        Place::Config(_) | Place::Credential(_) | Place::Template(_) | Place::Tcp(_) => Ok(()),
    }
}

fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    (1..=MAX_NAME).contains(&text.len()) && text.chars().all(fits)
}

/// By the rules of semver.org, 2.0.0; no longer than a name.
fn is_version(text: &str) -> bool {
    let is_identifier =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let has_no_zeros = |text: &str| text == "0" || !text.starts_with('0');
    let (rest, build) = text.split_once('+').map_or((text, None), |(rest, build)| (rest, Some(build)));
    let (core, before) = rest.split_once('-').map_or((rest, None), |(core, before)| (core, Some(before)));
    let numbers: Vec<&str> = core.split('.').collect();
    text.len() <= MAX_NAME
        && numbers.len() == 3
        && numbers.iter().all(|number| !number.is_empty() && is_digits(number) && has_no_zeros(number))
        && build.is_none_or(|build| build.split('.').all(is_identifier))
        && before.is_none_or(|before| {
            before.split('.').all(|text| is_identifier(text) && (!is_digits(text) || has_no_zeros(text)))
        })
}

/// Nothing in it makes a page or a terminal show other things than it says. What is longer may have several lines.
fn check_texts(manifest: &Manifest) -> Result<(), String> {
    let Ok(Value::Object(members)) = serde_json::to_value(manifest) else { return Ok(()) };
    for (name, value) in &members {
        let lines = ["config_schema", "icon", "least_grant", "setup"].contains(&name.as_str());
        if acting(value, lines) {
            return Err(format!("{name}: holds a control character, or one that changes the direction of text"));
        }
    }
    Ok(())
}

fn acting(value: &Value, lines: bool) -> bool {
    let acts = |text: &str| text.chars().any(|c| acts(c) && !(lines && matches!(c, '\n' | '\r' | '\t')));
    match value {
        Value::String(text) => acts(text),
        Value::Array(items) => items.iter().any(|item| acting(item, lines)),
        Value::Object(members) => members.iter().any(|(name, value)| acts(name) || acting(value, lines)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests;
