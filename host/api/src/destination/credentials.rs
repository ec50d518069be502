//! Credentials: read, checked, made, sealed; only masks come back.

use crate::call::Call;
use crate::codes;
use crate::connectors::{Connector, compile_schema};
use crate::json::token;
use crate::problem::{FieldError, Problem};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue};
use railhead_model::manifest::{CredentialField, CredentialKind, Generate};
use railhead_model::{DestinationNo, Manifest, Timestamp};
use railhead_store::directory::Credential;
use railhead_vault::{Random, TenantKeys};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// What to do with one field. Does not print values.
#[derive(Clone)]
pub enum Change {
    /// Seal this value, shown as this.
    Set(Zeroizing<String>, Value),
    /// Forget it.
    Delete,
}

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if matches!(self, Self::Delete) { "Delete" } else { "Set" })
    }
}

/// As a value: the host makes one.
const GENERATE: &str = "generate";
/// Bytes of one value: no more is handed to a connector.
const MAX_VALUE: usize = 16 * 1024;
/// Bytes of a destination's values that requests carry, the newest of each field: every answer is searched for them. One of
/// the longest, and short ones beside it.
const MAX_TOTAL: usize = MAX_VALUE + 1024;
/// What sealing adds to a value, in bytes.
const SEALED_ADDS: usize = 28;
/// Fields that a body may name; manifests have fewer.
const MAX_FIELDS: usize = 64;
/// Values of one field that are in force at once: the new one, and the one before while a rotation overlaps.
const MAX_VERSIONS: usize = 2;

/// The fields that a body names.
#[must_use]
pub fn names_given(body: &Value) -> bool {
    body.get("credentials").and_then(Value::as_object).is_some_and(|given| !given.is_empty())
}

/// Reads the `credentials` of a body.
pub fn read(
    call: &Call,
    connector: &Connector,
    given: BTreeMap<String, Value>,
    errors: &mut Vec<FieldError>,
) -> Vec<(String, Change)> {
    let mut changes = Vec::new();
    if given.len() > MAX_FIELDS {
        let detail = format!("Expected at most {MAX_FIELDS} credentials.");
        errors.push(FieldError::new("/credentials", &codes::INVALID_VALUE, detail));
        return changes;
    }
    for (name, value) in given {
        let pointer = format!("/credentials/{}", token(&name));
        match one(call, &connector.manifest, &name, &pointer, &value) {
            Ok(change) => changes.push((name, change)),
            Err(error) => errors.push(error),
        }
    }
    changes
}

fn one(call: &Call, manifest: &Manifest, name: &str, pointer: &str, value: &Value) -> Result<Change, FieldError> {
    // The operator's are as good as not there.
    let own = || manifest.credentials.iter().filter(|field| !field.operator);
    let field = own().find(|field| field.name == name).ok_or_else(|| {
        let known: Vec<_> = own().map(|field| format!("`{}`", field.name)).collect();
        let detail = format!("The connector has no such credential field. Known: {}.", known.join(", "));
        FieldError::new(pointer, &codes::UNKNOWN_CREDENTIAL, detail)
    })?;
    if value.is_null() {
        return Ok(Change::Delete);
    }
    if value.as_str() == Some(GENERATE)
        && let Some(change) = generated(field, call.state.random.as_ref())
    {
        return Ok(change);
    }
    let text = text_of(field, pointer, value)?;
    check_kind(call, field, pointer, &text)?;
    check_names(manifest, field, pointer, &text)?;
    (call.state.options.credential_check)(field, &text)
        .map_err(|why| FieldError::new(pointer, &codes::INVALID_VALUE, why))?;
    let public = public(field, &text);
    Ok(Change::Set(text, public))
}

fn text_of(field: &CredentialField, pointer: &str, value: &Value) -> Result<Zeroizing<String>, FieldError> {
    let composed = matches!(
        field.kind,
        CredentialKind::Headers
            | CredentialKind::Aws
            | CredentialKind::TlsIdentity
            | CredentialKind::GoogleServiceAccount
    );
    let text = match value {
        Value::String(text) => Zeroizing::new(text.clone()),
        Value::Object(_) if composed => Zeroizing::new(value.to_string()),
        _ => return Err(FieldError::new(pointer, &codes::WRONG_TYPE, "Expected a string.")),
    };
    if text.is_empty() || text.len() > MAX_VALUE || text.contains('\0') {
        let detail = format!("Expected 1 to {MAX_VALUE} bytes without NUL.");
        return Err(FieldError::new(pointer, &codes::INVALID_VALUE, detail));
    }
    Ok(text)
}

/// Checks the form as far as it can be told here; details never repeat the value.
fn check_kind(call: &Call, field: &CredentialField, pointer: &str, text: &str) -> Result<(), FieldError> {
    let wrong = |detail: &str| Err(FieldError::new(pointer, &codes::INVALID_VALUE, detail));
    match field.kind {
        CredentialKind::Url => {
            let mut errors = Vec::new();
            super::check_url(call, pointer, text, &mut errors);
            errors.into_iter().next().map_or(Ok(()), Err)
        }
        CredentialKind::Headers if !are_headers(text) => {
            wrong("Expected an object of header names and values, all strings.")
        }
        CredentialKind::Bytes if text.strip_prefix("whsec_").is_some_and(|rest| !is_base64(rest)) => {
            wrong("Expected base64 after `whsec_`.")
        }
        CredentialKind::Text if text.chars().any(|c| c == '\r' || c == '\n') => wrong("Expected one line."),
        _ => Ok(()),
    }
}

/// Names in a sealed map of headers are bound by what the configuration says of the names in its own field, if it has one
/// of the same name: a sealed header must not pass for one of the connector's either.
fn check_names(manifest: &Manifest, field: &CredentialField, pointer: &str, text: &str) -> Result<(), FieldError> {
    let place = format!("/properties/{}/propertyNames", field.name);
    let rules = manifest.config_schema.pointer(&place).filter(|_| field.kind == CredentialKind::Headers);
    let Some(rules) = rules.and_then(|rules| compile_schema(rules).ok()) else { return Ok(()) };
    let names: BTreeMap<String, serde::de::IgnoredAny> = serde_json::from_str(text).unwrap_or_default();
    match names.into_keys().find(|name| !rules.is_valid(&Value::from(name.as_str()))) {
        Some(name) => {
            let detail = format!("The header `{}` is the host's or the connector's own.", name.escape_debug());
            Err(FieldError::new(pointer, &codes::INVALID_VALUE, detail))
        }
        None => Ok(()),
    }
}

fn is_base64(text: &str) -> bool {
    STANDARD.decode(text).is_ok_and(|bytes| !bytes.is_empty())
}

fn are_headers(text: &str) -> bool {
    let Ok(map) = serde_json::from_str::<BTreeMap<String, String>>(text) else { return false };
    let fits = |(name, value): (&String, &String)| {
        HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(value).is_ok()
    };
    !map.is_empty() && map.iter().all(fits)
}

/// Refuses a destination without what its connector cannot do without.
pub fn check_required(
    connector: &Connector,
    changes: &[(String, Change)],
    had: &[String],
    errors: &mut Vec<FieldError>,
) {
    let needed = |field: &&CredentialField| field.required && field.generate.is_none() && !field.operator;
    for field in connector.manifest.credentials.iter().filter(needed) {
        let change = changes.iter().find(|(name, _)| *name == field.name).map(|(_, change)| change);
        let there = match change {
            Some(Change::Set(..)) => true,
            Some(Change::Delete) => false,
            None => had.contains(&field.name),
        };
        let pointer = format!("/credentials/{}", token(&field.name));
        if !there && !errors.iter().any(|error| error.pointer == pointer) {
            errors.push(FieldError::new(pointer, &codes::REQUIRED, "The connector needs this credential."));
        }
    }
}

/// Makes what the manifest lets the host make, where nothing is there: signing secrets, not key pairs (those only when
/// asked for, since their mere presence changes how requests are signed).
pub fn generate_missing(manifest: &Manifest, had: &[String], changes: &mut Vec<(String, Change)>, random: &dyn Random) {
    for field in manifest.credentials.iter().filter(|field| field.generate == Some(Generate::Whsec) && !field.operator)
    {
        let given = changes.iter().any(|(name, _)| *name == field.name);
        if !given
            && !had.contains(&field.name)
            && let Some(change) = generated(field, random)
        {
            changes.push((field.name.clone(), change));
        }
    }
}

fn generated(field: &CredentialField, random: &dyn Random) -> Option<Change> {
    let text = match (field.generate, field.kind) {
        (Some(Generate::Whsec), _) => {
            let mut secret = Zeroizing::new([0; 24]);
            random.fill(secret.as_mut_slice());
            format!("whsec_{}", STANDARD.encode(secret.as_slice()))
        }
        (Some(Generate::Ed25519), _) | (None, CredentialKind::PrivateKey) => {
            let mut seed = Zeroizing::new([0; 32]);
            random.fill(seed.as_mut_slice());
            STANDARD.encode(seed.as_slice())
        }
        _ => return None,
    };
    let public = public(field, &text);
    Some(Change::Set(Zeroizing::new(text), public))
}

/// What the API shows of a value.
fn public(field: &CredentialField, text: &str) -> Value {
    let mut public = json!({"mask": mask(field.kind, text)});
    if field.kind == CredentialKind::PrivateKey
        && let Some(key) = public_key(text)
    {
        public["public_key"] = key.into();
    }
    public
}

/// `whpk_…`, as Standard Webhooks writes Ed25519 public keys.
fn public_key(text: &str) -> Option<String> {
    let given = Zeroizing::new(STANDARD.decode(text.trim().strip_prefix("whsk_").unwrap_or(text).trim()).ok()?);
    let pair = Ed25519KeyPair::from_seed_unchecked(given.get(..32)?).ok()?;
    Some(format!("whpk_{}", STANDARD.encode(pair.public_key().as_ref())))
}

/// Enough to recognise a long value by, nothing of a short one.
fn mask(kind: CredentialKind, text: &str) -> String {
    let tail = || text.chars().skip(text.chars().count().saturating_sub(4)).collect::<String>();
    match kind {
        CredentialKind::Url => match url::Url::parse(text) {
            Ok(url) => format!("{}/…", url.origin().ascii_serialization()),
            Err(_) => "…".to_owned(),
        },
        CredentialKind::Headers => {
            let names: BTreeMap<String, String> = serde_json::from_str(text).unwrap_or_default();
            names.keys().map(|name| format!("{name}: …")).collect::<Vec<_>>().join(", ")
        }
        CredentialKind::Bytes if text.starts_with("whsec_") && text.len() >= 24 => format!("whsec_…{}", tail()),
        CredentialKind::Text | CredentialKind::Bytes if text.chars().count() >= 20 => format!("…{}", tail()),
        _ => "…".to_owned(),
    }
}

/// Refuses more in all than can be looked for in every answer.
///
/// # Errors
/// 422 `credentials-too-large`.
pub fn check_total(call: &Call, pointer: &str, connector: &str, credentials: &[Credential]) -> Result<(), Problem> {
    let Some(connector) = call.state.connectors.get(connector) else { return Ok(()) };
    let total = total(&connector.manifest.credentials, credentials);
    if total <= MAX_TOTAL {
        return Ok(());
    }
    let detail = format!("The credentials would have {total} bytes together; at most {MAX_TOTAL} are allowed.");
    Err(Problem::field(pointer, &codes::CREDENTIALS_TOO_LARGE, detail))
}

/// Bytes of all that requests carry: keys that only sign or log in elsewhere are no part of it, nor are older versions.
fn total(fields: &[CredentialField], credentials: &[Credential]) -> usize {
    use CredentialKind::{Bytes, Headers, Text, Url};
    let counted = fields.iter().filter(|field| matches!(field.kind, Bytes | Headers | Text | Url));
    let newest = counted.filter_map(|field| {
        let own = credentials.iter().filter(|credential| credential.field == field.name);
        own.max_by_key(|credential| credential.version)
    });
    newest.map(|credential| credential.sealed.len().saturating_sub(SEALED_ADDS)).sum()
}

/// Applies changes to what is there: a new value takes over at once.
pub fn apply(
    keys: &TenantKeys,
    no: DestinationNo,
    mut credentials: Vec<Credential>,
    changes: Vec<(String, Change)>,
    now: Timestamp,
) -> Vec<Credential> {
    for (field, change) in changes {
        match change {
            Change::Delete => delete(&mut credentials, &field),
            Change::Set(..) => seal(keys, no, &mut credentials, &field, change, now, 0),
        }
    }
    credentials
}

/// Removes a field's values.
pub fn delete(credentials: &mut Vec<Credential>, field: &str) {
    credentials.retain(|credential| credential.field != field);
}

/// Seals a new value; the one before stays in force beside it for `overlap_ms`.
pub fn seal(
    keys: &TenantKeys,
    no: DestinationNo,
    credentials: &mut Vec<Credential>,
    field: &str,
    change: Change,
    now: Timestamp,
    overlap_ms: i64,
) {
    let Change::Set(text, public) = change else { return };
    let mut own: Vec<_> = credentials.extract_if(.., |credential| credential.field == field).collect();
    let version = own.iter().map(|credential| credential.version).max().unwrap_or(0) + 1;
    own.sort_by_key(|credential| std::cmp::Reverse(credential.version));
    own.truncate(MAX_VERSIONS - 1);
    let until = now.plus_ms(overlap_ms);
    for older in &mut own {
        older.expires_at = Some(older.expires_at.map_or(until, |at| at.min(until)));
    }
    own.retain(|older| older.expires_at.is_some_and(|at| at > now));
    let sealed = keys.seal_credential(no, field, version, text.as_bytes()).into();
    credentials.push(Credential { field: field.to_owned(), version, sealed, public, set_at: now, expires_at: None });
    credentials.append(&mut own);
}

#[cfg(test)]
mod tests {
    use super::*;
    use railhead_vault::{MasterKey, MasterKeys, SystemRandom, Vault};
    use std::sync::Arc;

    fn set(text: &str) -> Change {
        Change::Set(Zeroizing::new(text.to_owned()), json!({"mask": "…"}))
    }

    #[test]
    fn a_rotation_keeps_the_older_value_until_its_overlap_is_over() {
        let vault = Vault::new(MasterKeys::one(MasterKey::generate(&SystemRandom)), Arc::new(SystemRandom));
        let keys = vault.open_tenant("1/t", &vault.new_tenant_key("1/t")).expect("its own");
        let mut all = apply(&keys, DestinationNo(7), Vec::new(), vec![("s".into(), set("one"))], Timestamp(0));
        seal(&keys, DestinationNo(7), &mut all, "s", set("two"), Timestamp(1_000), 5_000);
        let shown: Vec<_> = all.iter().map(|c| (c.version, c.expires_at)).collect();
        assert_eq!(shown, [(2, None), (1, Some(Timestamp(6_000)))]);
        let open = keys.open_credential(DestinationNo(7), "s", 1, &all[1].sealed).expect("opens");
        assert_eq!(open.as_slice(), b"one");
        seal(&keys, DestinationNo(7), &mut all, "s", set("three"), Timestamp(2_000), 0);
        assert_eq!(all.iter().map(|c| c.version).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn what_requests_carry_counts_whatever_its_kind_and_keys_do_not() {
        let field = |name: &str, kind: &str| json!({"name": name, "label": name, "kind": kind, "use": "place"});
        let fields = ["text", "bytes", "url", "headers", "private-key", "aws"].map(|kind| field(kind, kind));
        let manifest: Vec<CredentialField> = serde_json::from_value(fields.to_vec().into()).expect("fields");
        let vault = Vault::new(MasterKeys::one(MasterKey::generate(&SystemRandom)), Arc::new(SystemRandom));
        let keys = vault.open_tenant("1/t", &vault.new_tenant_key("1/t")).expect("its own");
        let change = |field: &CredentialField| (field.name.clone(), set("0123456789"));
        let changes: Vec<_> = manifest.iter().map(change).collect();
        let mut all = apply(&keys, DestinationNo(7), Vec::new(), changes, Timestamp(0));
        assert_eq!(total(&manifest, &all), 4 * 10);
        seal(&keys, DestinationNo(7), &mut all, "text", set("0123456789abcdef"), Timestamp(1), 5_000);
        assert_eq!(total(&manifest, &all), 3 * 10 + 16, "of a field the newest counts");
    }

    #[test]
    fn masks_show_the_end_of_long_values_only() {
        let mask = |kind, text: &str| mask(kind, text);
        assert_eq!(mask(CredentialKind::Bytes, "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="), "whsec_…Zg==");
        assert_eq!(mask(CredentialKind::Text, "hunter2"), "…");
        assert_eq!(mask(CredentialKind::Text, "0123456789abcdefghijWXYZ"), "…WXYZ");
        assert_eq!(mask(CredentialKind::Url, "https://h.example.com/T0/secret"), "https://h.example.com/…");
        assert_eq!(mask(CredentialKind::Headers, r#"{"x-a": "secret"}"#), "x-a: …");
        assert_eq!(mask(CredentialKind::PrivateKey, &"A".repeat(44)), "…");
    }

    #[test]
    fn values_do_not_print() {
        assert_eq!(format!("{:?}", set("secret")), "Set");
    }
}
