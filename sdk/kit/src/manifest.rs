//! What a manifest says, looked at without running anything.

mod schema;
mod words;

use crate::findings::Findings;
use railhead_model::Manifest;
use railhead_model::manifest::{CredentialField, CredentialKind as Kind, CredentialUse as Use};
use serde_json::Value;

/// The check after which deliveries make sense.
pub(crate) const EXAMPLE: &str = "the example fits the schema";

/// Uses that a field of these names cannot be had for.
const NOT_SHARED: [Use; 5] = [Use::Url, Use::Token, Use::Exchange, Use::TlsIdentity, Use::Place];

/// Looks at a manifest, and at the example beside it.
pub(crate) fn check(manifest: &Manifest, example: &Value, component: &[u8], findings: &mut Findings) {
    schema::check(manifest, example, findings);
    let revealing = component.windows(REVEALING.len()).any(|window| window == REVEALING);
    findings.holds("C12", "secrets are not revealed to it", !revealing, || {
        "It imports railhead:plugin/revealing. Place, sign, compose and exchange need no bytes of a secret.".to_owned()
    });
    for field in &manifest.credentials {
        credential(manifest, field, findings);
    }
    origins(manifest, findings);
    let missing = braces(&manifest.target).into_iter().find(|pointer| !schema::has(&manifest.config_schema, pointer));
    findings.check(
        "M7",
        "the target's pointers are there",
        missing.map(|pointer| format!("target names {{{pointer}}}, and the schema has no such field.")),
    );
}

const REVEALING: &[u8] = b"railhead:plugin/revealing";

fn credential(manifest: &Manifest, field: &CredentialField, findings: &mut Findings) {
    let name = &field.name;
    findings.holds("M8", "uses go with kinds", uses_of(field.kind).contains(&field.usage), || {
        format!("A credential of kind {} is not for use {}: {name}.", word(&field.kind), word(&field.usage))
    });
    let shared = field.shared && NOT_SHARED.contains(&field.usage);
    findings.holds("M3", "only what both sides hold is shared", !shared, || {
        format!(
            "{name} is shared, and its use is {}: its owner could read it back. Only keys that both sides sign with are \
             shared. Take `shared` away.",
            word(&field.usage)
        )
    });
    let absent = field.guards.iter().find(|guard| !schema::has(&manifest.config_schema, guard));
    findings.check(
        "M7",
        "guards point at fields of the configuration",
        absent.map(|guard| format!("{name} is guarded by {guard}, and the schema has no such field.")),
    );
    // What a key signs is decided somewhere: in the configuration, or nowhere.
    let signs = matches!(field.usage, Use::SignRequest | Use::Token);
    let is_guarded = |name: &String| {
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        field.guards.iter().any(|guard| *guard == pointer || guard.starts_with(&format!("{pointer}/")))
    };
    let names = schema::names(&manifest.config_schema);
    let decides = names.into_iter().find(|name| signs && words::decides(name) && !is_guarded(name));
    findings.check(
        "M4",
        "what decides how a key is used is guarded",
        decides.map(|setting| {
            format!(
                "{setting} decides what is signed with {name}, and is not guarded. Add its JSON Pointer to `guards`."
            )
        }),
    );
}

/// What a value of this kind can be used for.
fn uses_of(kind: Kind) -> &'static [Use] {
    match kind {
        Kind::Text => &[Use::Place, Use::Token, Use::Challenge, Use::Wire, Use::Exchange, Use::SignRequest],
        Kind::Bytes => &[Use::Place, Use::Token, Use::Challenge, Use::Wire, Use::Exchange, Use::SignRequest],
        Kind::Aws => &[Use::SignRequest, Use::Token, Use::Exchange],
        Kind::AzureKey => &[Use::SignRequest],
        Kind::GoogleServiceAccount => &[Use::Token, Use::Exchange],
        Kind::PrivateKey => &[Use::SignRequest, Use::Token, Use::Challenge],
        Kind::TlsIdentity => &[Use::TlsIdentity],
        Kind::Url => &[Use::Url],
        Kind::Headers => &[Use::Place],
    }
}

fn origins(manifest: &Manifest, findings: &mut Findings) {
    findings.holds("R1", "it names where it connects to", !manifest.origins.is_empty(), || {
        "origins is empty: it could reach nothing.".to_owned()
    });
    let origins = serde_json::to_value(&manifest.origins).unwrap_or_default();
    for origin in origins.as_array().into_iter().flatten() {
        let name = origin.get("name").and_then(Value::as_str).unwrap_or_default();
        let tcp = origin.get("tcp");
        let pointers = [origin.get("config"), tcp.and_then(|tcp| tcp.get("host")), tcp.and_then(|tcp| tcp.get("port"))];
        let mut pointers = pointers.into_iter().flatten().filter_map(Value::as_str);
        let missing = pointers.find(|pointer| !schema::has(&manifest.config_schema, pointer));
        findings.check(
            "M7",
            "origins point at fields of the configuration",
            missing.map(|pointer| format!("The origin {name} is at {pointer}, and the schema has no such field.")),
        );
        let plain = origin.get("literal").and_then(Value::as_str).is_some_and(|url| !url.starts_with("https://"));
        findings.holds("R1", "literal origins are https", !plain, || format!("The origin {name} is not https://."));
    }
}

/// What stands in braces.
fn braces(text: &str) -> Vec<String> {
    let inside = text.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    inside.map(|(pointer, _)| pointer.to_owned()).collect()
}

/// As JSON has it.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
