//! Builds every first-party plugin, so that the library can embed it.

use railhead_guest_build::{Component, Error, Guest, build};
use std::path::Path;

/// Folders beside this file, and the names of their libraries.
const PLUGINS: [(&str, &str); 1] = [("webhook", "railhead_webhook")];

fn main() -> Result<(), Error> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let wit = here.join("../wit");
    for (name, library) in PLUGINS {
        let components = &[Component { manifest: "manifest.json", name }];
        build(Guest { dir: &here.join(name), wit: &wit, library, components })?;
    }
    Ok(())
}
