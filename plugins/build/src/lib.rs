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
    let compiled = command::compile(guest.dir, &out_dir.join("guest").join(guest.library))?;
    let compiled = read(&compiled.join(format!("{}.wasm", guest.library)))?;
    for Component { manifest, name } in guest.components {
        stamp(compiled.clone(), &guest.dir.join(manifest), &out_dir.join(format!("{name}.wasm")))?;
    }
    Ok(())
}

/// Many small guests in one cargo workspace: what they share is compiled once.
#[derive(Clone, Copy, Debug)]
pub struct Guests<'a> {
    /// The workspace: `Cargo.toml`, `Cargo.lock`, a folder for each guest.
    pub dir: &'a Path,
    /// The folder of the contract that they are compiled against.
    pub wit: &'a Path,
    /// Members that become components. Each has its `manifest.json`, and its library bears the folder's name.
    pub members: &'a [String],
}

/// Compiles them in one go and writes `OUT_DIR/<member>.wasm` for each.
///
/// # Errors
/// As [`build`].
pub fn build_all(guests: Guests<'_>) -> Result<(), Error> {
    let out_dir = PathBuf::from(variable("OUT_DIR")?);
    watch_for(&[guests.dir, guests.wit]);
    let compiled = command::compile(guests.dir, &out_dir.join("guests"))?;
    for member in guests.members {
        let library = read(&compiled.join(format!("{}.wasm", member.replace('-', "_"))))?;
        stamp(library, &guests.dir.join(member).join("manifest.json"), &out_dir.join(format!("{member}.wasm")))?;
    }
    Ok(())
}

/// Writes a component with this manifest in it.
fn stamp(mut component: Vec<u8>, manifest: &Path, to: &Path) -> Result<(), Error> {
    section::append(&mut component, MANIFEST_SECTION, &read(manifest)?);
    fs::write(to, component).map_err(|cause| Error::File { path: to.to_owned(), cause })
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|cause| Error::File { path: path.to_owned(), cause })
}

/// An environment variable that cargo sets for build scripts.
fn variable(name: &'static str) -> Result<String, Error> {
    env::var(name).map_err(|_| Error::Variable(name))
}

/// Tells cargo what the components are made of.
fn watch(guest: Guest<'_>) {
    let manifests = guest.components.iter().map(|component| component.manifest);
    let entries = ["Cargo.toml", "Cargo.lock", "src"].into_iter().chain(manifests);
    let entries: Vec<PathBuf> = entries.map(|entry| guest.dir.join(entry)).collect();
    watch_for(&entries);
    watch_for(&[guest.wit]);
}

#[expect(clippy::print_stdout, reason = "build scripts talk to cargo over standard output")]
fn watch_for(paths: &[impl AsRef<Path>]) {
    for path in paths {
        println!("cargo::rerun-if-changed={}", path.as_ref().display());
    }
}
