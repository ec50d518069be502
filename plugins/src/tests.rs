//! What holds for every first-party plugin.

use crate::ALL;
use railhead_guest_build::{MANIFEST_SECTION, find};
use railhead_model::manifest::{CredentialUse, Manifest, SECTION};
use std::collections::HashSet;
use wasmparser::{Encoding, Payload, Validator, WasmFeatures};

/// A webhook is a small thing; a connector that grows past this carries something it does not need.
const MAX_BYTES: usize = 320 * 1024;

fn manifest(component: &[u8]) -> Manifest {
    let section = find(component, SECTION).unwrap().expect("a manifest is stamped in");
    serde_json::from_slice(section).unwrap()
}

#[test]
fn each_folder_has_the_same_shape() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let shape = ["Cargo.toml", "Cargo.lock", "manifest.json", "example.json", "README.md"];
    let sources = ["lib", "session", "config", "request", "classify", "delivery"].map(|name| format!("src/{name}.rs"));
    for plugin in ALL {
        for file in shape.into_iter().chain(sources.iter().map(String::as_str)) {
            assert!(here.join(plugin.name).join(file).is_file(), "{}/{file}", plugin.name);
        }
    }
}

#[test]
fn each_is_a_valid_component() {
    for plugin in ALL {
        let encoding = wasmparser::Parser::new(0).parse_all(plugin.component).find_map(|payload| match payload {
            Ok(Payload::Version { encoding, .. }) => Some(encoding),
            _ => None,
        });
        assert_eq!(encoding, Some(Encoding::Component), "{}", plugin.name);
        Validator::new_with_features(WasmFeatures::default()).validate_all(plugin.component).unwrap();
        assert!(plugin.component.len() < MAX_BYTES, "{}: {} bytes", plugin.name, plugin.component.len());
    }
}

#[test]
fn nothing_in_it_says_where_it_was_built() {
    let here = env!("CARGO_MANIFEST_DIR").trim_end_matches("plugins");
    for plugin in ALL {
        let text = String::from_utf8_lossy(plugin.component);
        assert!(text.contains("/source/sdk/rust/src/"), "{}: no panic message to look at", plugin.name);
        assert!(!text.contains(here) && !text.contains(".cargo"), "{}", plugin.name);
    }
}

#[test]
fn each_manifest_is_one_and_says_the_same_name() {
    assert_eq!(SECTION, MANIFEST_SECTION);
    let mut names = HashSet::new();
    for plugin in ALL {
        let manifest = manifest(plugin.component);
        assert_eq!(manifest.name, plugin.name);
        assert_eq!(manifest.contract, "0.1.0");
        assert!(names.insert(plugin.name));
    }
}

/// The schema is derived and the rest is read from the plugin's folder: together they are what is written out here.
#[test]
fn the_webhooks_manifest_is_as_written_out() {
    let written: serde_json::Value = serde_json::from_str(include_str!("../tests/webhook/manifest.json")).unwrap();
    let section = find(crate::WEBHOOK, SECTION).unwrap().expect("a manifest");
    let mut stamped: serde_json::Value = serde_json::from_slice(section).unwrap();
    stamped["version"] = written["version"].clone();
    for (field, value) in written.as_object().unwrap() {
        assert_eq!(&stamped[field], value, "{field}");
    }
    assert_eq!(stamped, written);
}

#[test]
fn each_credential_is_bound_to_origins_that_exist() {
    for plugin in ALL {
        let manifest = manifest(plugin.component);
        let origins: HashSet<_> = manifest.origins.iter().map(|origin| origin.name.as_str()).collect();
        assert_eq!(origins.len(), manifest.origins.len(), "{}: two origins of one name", plugin.name);
        for field in &manifest.credentials {
            for origin in &field.origins {
                assert!(origins.contains(origin.as_str()), "{}: {origin}", field.name);
            }
        }
    }
}

#[test]
fn each_guard_is_a_field_and_each_that_signs_or_is_exchanged_has_some() {
    for plugin in ALL {
        let manifest = manifest(plugin.component);
        for field in &manifest.credentials {
            let used = matches!(field.usage, CredentialUse::SignRequest | CredentialUse::Exchange);
            assert!(!used || !field.guards.is_empty(), "{}: {}", plugin.name, field.name);
            for guard in &field.guards {
                let rules = manifest.config_schema["properties"].pointer(guard);
                assert!(guard.starts_with('/') && rules.is_some(), "{}: {guard}", field.name);
            }
        }
    }
}

#[test]
fn each_schema_is_closed_and_explains_every_field() {
    for plugin in ALL {
        let schema = manifest(plugin.component).config_schema;
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["additionalProperties"], false, "{}", plugin.name);
        for (field, rules) in schema["properties"].as_object().unwrap() {
            assert!(rules["description"].is_string(), "{}: {field} has no description", plugin.name);
        }
    }
}
