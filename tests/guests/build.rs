//! Builds the guest that misbehaves, under each of its manifests.

use railhead_guest_build::{Component, Error, Guest, build};
use std::path::Path;

fn main() -> Result<(), Error> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    build(Guest {
        dir: &here.join("misbehave"),
        wit: &here.join("../../wit"),
        library: "railhead_misbehave",
        components: &[
            Component { manifest: "manifest.json", name: "misbehave" },
            Component { manifest: "batching.json", name: "batching" },
        ],
    })
}
