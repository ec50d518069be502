//! The house stays tidy: crates know only what lies below them, and the top level holds only what was agreed.

use std::collections::{BTreeMap, BTreeSet};

/// Every arrow between the host's crates: who may know whom. A new arrow is a decision; make it here.
const ARROWS: [(&str, &[&str]); 15] = [
    ("railhead-model", &[]),
    ("railhead-routing", &["model"]),
    ("railhead-vault", &["model"]),
    ("railhead-store", &["model"]),
    ("railhead-store-sqlite", &["model", "store"]),
    ("railhead-store-postgres", &["model", "store"]),
    ("railhead-sandbox", &["model"]),
    ("railhead-delivery", &["model", "routing", "store", "vault"]),
    ("railhead-api", &["delivery", "model", "routing", "store", "vault"]),
    ("railhead-portal", &["model", "vault"]),
    ("railhead-plugins", &[]),
    ("railhead-guest-build", &[]),
    ("railhead-plugin-harness", &["model", "sandbox"]),
    ("railhead-plugin-kit", &["model", "plugin-harness", "sandbox"]),
    (
        "railhead-server",
        &[
            "api",
            "delivery",
            "guest-build",
            "model",
            "plugin-kit",
            "plugins",
            "portal",
            "routing",
            "sandbox",
            "store",
            "store-postgres",
            "store-sqlite",
            "vault",
        ],
    ),
];

fn metadata() -> cargo_metadata::Metadata {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
    cargo_metadata::MetadataCommand::new().manifest_path(root).no_deps().exec().expect("cargo metadata")
}

#[test]
fn arrows_point_down_only() {
    let allowed: BTreeMap<_, _> = ARROWS.into_iter().collect();
    for package in metadata().packages {
        let name = package.name.to_string();
        let is_host = package.manifest_path.as_str().contains("/host/") || allowed.contains_key(name.as_str());
        if !is_host {
            continue;
        }
        let allowed = allowed.get(name.as_str()).unwrap_or_else(|| panic!("{name} is not in the list of arrows"));
        let allowed: BTreeSet<String> = allowed.iter().map(|name| format!("railhead-{name}")).collect();
        let known = package.dependencies.iter().filter(|dependency| {
            dependency.kind == cargo_metadata::DependencyKind::Normal && dependency.name.starts_with("railhead-")
        });
        for dependency in known {
            assert!(allowed.contains(&dependency.name), "new arrow: {name} -> {}", dependency.name);
        }
    }
}

#[test]
fn delivery_knows_no_sandbox_no_web_and_no_sql_and_the_sandbox_no_schedule() {
    let forbidden = [
        ("railhead-delivery", ["wasmtime", "axum", "sqlx"].as_slice()),
        ("railhead-sandbox", &["axum", "sqlx", "railhead-store", "railhead-delivery"]),
        ("railhead-model", &["tokio", "sqlx", "axum", "wasmtime", "reqwest"]),
        ("railhead-routing", &["tokio", "sqlx", "axum", "wasmtime", "reqwest"]),
    ];
    for package in metadata().packages {
        for (name, forbidden) in forbidden {
            if package.name.as_str() == name {
                for dependency in &package.dependencies {
                    let known = forbidden.contains(&dependency.name.as_str());
                    let is_dev = dependency.kind == cargo_metadata::DependencyKind::Development;
                    assert!(!known || is_dev, "{name} must not know {}", dependency.name);
                }
            }
        }
    }
}

#[test]
fn the_top_level_holds_the_agreed_folders() {
    let root = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let agreed = ["host", "wit", "plugins", "sdk", "tests", "examples"];
    for entry in std::fs::read_dir(root).expect("the root") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a name");
        let is_ours = agreed.contains(&name.as_str())
            || name.starts_with('.')
            || ["target", "railhead-data"].contains(&name.as_str());
        assert!(!entry.path().is_dir() || is_ours, "unexpected folder at the top level: {name}");
    }
}
