//! Builds every first-party plugin, so that the library can embed it.

use railhead_guest_build::{Error, Plugin, build_plugin};
use std::path::Path;

/// Folders beside this file.
const PLUGINS: &[&str] = &["postgres", "s3", "webhook"];

fn main() -> Result<(), Error> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let wit = here.join("../wit/0.1.0");
    let sdk = ["../sdk/rust/src", "../sdk/rust/Cargo.toml", "../sdk/rust/macros/src", "../sdk/rust/macros/Cargo.toml"];
    let from: Vec<_> = sdk.iter().map(|path| here.join(path)).chain([wit]).collect();
    for name in PLUGINS {
        let library = &format!("railhead_{}", name.replace('-', "_"));
        build_plugin(Plugin { dir: &here.join(name), from: &from, library, name })?;
    }
    Ok(())
}
