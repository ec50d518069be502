//! Builds the guest that misbehaves, under each of its manifests, the one that plays scripts over streams, the one that sends over `wasi:http`, and the hostile ones.

use railhead_guest_build::{Component, Error, Guest, Guests, build, build_all};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Error> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let wit = here.join("../../wit/0.1.0");
    build(Guest {
        dir: &here.join("misbehave"),
        wit: &wit,
        library: "railhead_misbehave",
        components: &[
            Component { manifest: "manifest.json", name: "misbehave" },
            Component { manifest: "batching.json", name: "batching" },
        ],
    })?;
    build(Guest {
        dir: &here.join("wasi-http"),
        wit: &wit,
        library: "railhead_wasi_http",
        components: &[Component { manifest: "manifest.json", name: "wasi_http" }],
    })?;
    build(Guest {
        dir: &here.join("streaming"),
        wit: &wit,
        library: "railhead_streaming",
        components: &[Component { manifest: "manifest.json", name: "streaming" }],
    })?;
    let hostile = here.join("hostile");
    let members = members(&hostile)?;
    build_all(Guests { dir: &hostile, wit: &wit, members: &members })?;
    list(&hostile, &members)
}

/// Every folder with a manifest is a guest.
fn members(dir: &Path) -> Result<Vec<String>, Error> {
    let failed = |cause| Error::File { path: dir.to_owned(), cause };
    let mut members = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.path().join("manifest.json").exists() {
            members.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    members.sort();
    Ok(members)
}

/// Writes the list that `src/lib.rs` includes.
fn list(dir: &Path, members: &[String]) -> Result<(), Error> {
    let mut list = String::from("&[\n");
    for name in members {
        let expected = dir.join(name).join("expected.toml");
        // Writing to a text cannot fail.
        let _ = writeln!(
            list,
            "Hostile {{ name: {name:?}, component: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.wasm\")), \
             expected: include_str!({expected:?}) }},"
        );
    }
    list.push(']');
    let path = PathBuf::from(env::var("OUT_DIR").map_err(|_| Error::Variable("OUT_DIR"))?).join("hostile.rs");
    fs::write(&path, list).map_err(|cause| Error::File { path, cause })
}
