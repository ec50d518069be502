//! Whether a change of configuration would send credentials somewhere else, or use them for something else.

use crate::call::Call;
use railhead_model::Manifest;
use railhead_model::manifest::{CredentialField, CredentialUse, Place};
use railhead_store::directory::Destination;
use serde_json::{Map, Value};

/// Names of the destination's credentials that `config` would send to another origin than now, or use in another way
/// than now: whoever may not write credentials could read them there, or what they sign. A secret that the host makes
/// and both sides hold counts too: receivers trust what it signs.
pub fn redirected(call: &Call, found: &Destination, config: &Map<String, Value>) -> Vec<String> {
    let Some(connector) = call.state.connectors.get(&found.spec.connector) else { return Vec::new() };
    let manifest = &connector.manifest;
    let (old, new) = (Value::Object(found.spec.config.clone()), Value::Object(config.clone()));
    let mut fields: Vec<_> = found.credentials.iter().map(|one| one.field.as_str()).collect();
    fields.sort_unstable();
    fields.dedup();
    fields.retain(|field| {
        let known = manifest.credentials.iter().find(|own| own.name == *field);
        moves(manifest, known, &old, &new) || known.is_some_and(|own| is_used_anew(own, &old, &new))
    });
    fields.into_iter().map(str::to_owned).collect()
}

fn moves(manifest: &Manifest, known: Option<&CredentialField>, old: &Value, new: &Value) -> bool {
    // What comes back from a token endpoint goes to all the others. A field that the manifest no longer has counts as one
    // that goes everywhere.
    let everywhere = |own: &CredentialField| own.usage == CredentialUse::Exchange || own.origins.is_empty();
    let bound = |name: &String| known.is_none_or(|own| everywhere(own) || own.origins.contains(name));
    manifest.origins.iter().filter(|origin| bound(&origin.name)).any(|origin| match &origin.place {
        Place::Config(pointer) => origin_at(old, pointer) != origin_at(new, pointer),
        Place::Template(template) => template.resolve(old) != template.resolve(new),
        Place::Tcp(tcp) => tcp.of(old) != tcp.of(new),
        Place::Literal(_) | Place::Credential(_) => false,
    })
}

/// The manifest says what decides how a value is used. What is no pointer stands for all of the configuration.
fn is_used_anew(field: &CredentialField, old: &Value, new: &Value) -> bool {
    field.guards.iter().any(
        |guard| {
            if guard.starts_with('/') { old.pointer(guard) != new.pointer(guard) } else { old != new }
        },
    )
}

/// Scheme, host and port of the URL at a pointer; the text itself where it is none.
fn origin_at(config: &Value, pointer: &str) -> Option<(String, String, Option<u16>)> {
    let text = config.pointer(pointer)?.as_str()?;
    match url::Url::parse(text) {
        Ok(url) => {
            let host = url.host_str().unwrap_or(text).to_owned();
            Some((url.scheme().to_owned(), host, url.port_or_known_default()))
        }
        Err(_) => Some((String::new(), text.to_owned(), None)),
    }
}

#[cfg(test)]
mod tests {
    use super::moves;
    use railhead_model::Manifest;
    use serde_json::{Value, json};

    #[test]
    fn another_label_of_a_template_is_another_place() {
        let manifest: Manifest = serde_json::from_value(json!({
            "name": "store", "version": "0.1.0", "contract": "0.1.0", "label": "Store", "category": "storage",
            "config_schema": {},
            "credentials": [
                {"name": "keys", "label": "Keys", "kind": "aws", "use": "sign-request", "origins": ["bucket"]},
                {"name": "other", "label": "Other", "kind": "text", "use": "place", "origins": ["elsewhere"]},
            ],
            "origins": [
                {"name": "bucket", "template": "https://{/bucket}.s3.{/region}.amazonaws.com"},
                {"name": "elsewhere", "literal": "https://example.com"},
            ],
        }))
        .expect("a manifest");
        let of = |bucket: &str, prefix: &str| json!({"bucket": bucket, "region": "eu-west-1", "prefix": prefix});
        let moves =
            |field: usize, old: &Value, new: &Value| moves(&manifest, manifest.credentials.get(field), old, new);
        let old = of("events", "a");
        assert!(moves(0, &old, &of("others", "a")));
        assert!(moves(0, &old, &of("no.label", "a")), "there it may go nowhere, and from there anywhere");
        assert!(!moves(0, &old, &of("events", "b")));
        assert!(!moves(1, &old, &of("others", "a")), "it never went there");
    }
}
