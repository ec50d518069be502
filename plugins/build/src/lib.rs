//! Builds guests from a build script: compile for `wasm32-wasip2`, stamp the manifest in, leave the component in
//! `OUT_DIR`.
//!
//! A guest is a package of its own, outside the workspace of the host: it has another target, its own profile and its
//! own `Cargo.lock`. So a plain `cargo build` of the host builds its plugins too, from source.

mod command;
mod error;
mod section;

pub use error::Error;
pub use section::{Malformed, append, find};

use std::path::{Path, PathBuf};
use std::{env, fs};

/// Name of the custom section that holds a manifest.
///
/// The same word as `railhead_model::manifest::SECTION`; a test of `railhead-plugins` holds them together. This crate
/// takes no dependency, because whatever it takes is compiled before every guest.
pub const MANIFEST_SECTION: &str = "railhead:manifest";

/// A guest's source, and what is made of it.
#[derive(Clone, Copy, Debug)]
pub struct Guest<'a> {
    /// Its package: `Cargo.toml`, `Cargo.lock`, `src/`, manifests.
    pub dir: &'a Path,
    /// The folder of the contract that it is compiled against; a change in it builds again.
    pub wit: &'a Path,
    /// File name of its library without the extension: the package's name with `_` for `-`.
    pub library: &'a str,
    /// One component for each manifest.
    pub components: &'a [Component<'a>],
}

/// A component that is made of a guest.
#[derive(Clone, Copy, Debug)]
pub struct Component<'a> {
    /// File in the guest's package that is stamped in.
    pub manifest: &'a str,
    /// It becomes `OUT_DIR/<name>.wasm`.
    pub name: &'a str,
}

/// Compiles `guest` and writes its components to `OUT_DIR`.
///
/// To be called from a build script: it reads what cargo sets for one, and prints when to run again.
///
/// # Errors
/// A folder that is not a guest, a guest that does not compile, a file that cannot be read or written. The message
/// says which.
pub fn build(guest: Guest<'_>) -> Result<(), Error> {
    let out_dir = PathBuf::from(variable("OUT_DIR")?);
    watch(guest);
    let compiled = read(&command::compile(guest, &out_dir)?)?;
    for Component { manifest, name } in guest.components {
        let mut component = compiled.clone();
        section::append(&mut component, MANIFEST_SECTION, &read(&guest.dir.join(manifest))?);
        let path = out_dir.join(format!("{name}.wasm"));
        fs::write(&path, component).map_err(|cause| Error::File { path, cause })?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|cause| Error::File { path: path.to_owned(), cause })
}

/// An environment variable that cargo sets for build scripts.
fn variable(name: &'static str) -> Result<String, Error> {
    env::var(name).map_err(|_| Error::Variable(name))
}

/// Tells cargo what the components are made of.
#[expect(clippy::print_stdout, reason = "build scripts talk to cargo over standard output")]
fn watch(guest: Guest<'_>) {
    let manifests = guest.components.iter().map(|component| component.manifest);
    for entry in ["Cargo.toml", "Cargo.lock", "src"].into_iter().chain(manifests) {
        println!("cargo::rerun-if-changed={}", guest.dir.join(entry).display());
    }
    println!("cargo::rerun-if-changed={}", guest.wit.display());
}
