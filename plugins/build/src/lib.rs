//! Builds guests from a build script: compile for `wasm32-wasip2`, see that the component bears its manifest, leave it in
//! `OUT_DIR`.
//!
//! A plugin on `railhead-sdk` has its manifest compiled into its core module: it is [lifted](lift) to where the host reads
//! it. Other guests have it in a file, which is stamped in.
//!
//! A guest is a package of its own, outside the workspace of the host: it has another target, its own profile and its
//! own `Cargo.lock`. So a plain `cargo build` of the host builds its plugins too, from source.

mod command;
mod error;
mod paths;
mod section;

pub use error::{Error, Unliftable};
pub use paths::nameless_paths;
pub use section::{Malformed, append, find, take};

use std::path::{Path, PathBuf};
use std::{env, fs};

/// Name of the custom section that holds a manifest.
///
/// The same word as `railhead_model::manifest::SECTION`; a test of `railhead-plugins` holds them together. This crate
/// takes no dependency, because whatever it takes is compiled before every guest.
pub const MANIFEST_SECTION: &str = "railhead:manifest";

/// A plugin that is written with `railhead-sdk`.
#[derive(Clone, Copy, Debug)]
pub struct Plugin<'a> {
    /// Its package: `Cargo.toml`, `Cargo.lock`, `src/`, `manifest.json`.
    pub dir: &'a Path,
    /// Folders outside of it that it is compiled from: the contract, the SDK. A change in them builds again.
    pub from: &'a [PathBuf],
    /// File name of its library without the extension: the package's name with `_` for `-`.
    pub library: &'a str,
    /// It becomes `OUT_DIR/<name>.wasm`.
    pub name: &'a str,
}

/// Compiles `plugin` and writes its component to `OUT_DIR`.
///
/// To be called from a build script: it reads what cargo sets for one, and prints when to run again.
///
/// # Errors
/// As [`build`], and where [`lift`] fails.
pub fn build_plugin(plugin: Plugin<'_>) -> Result<(), Error> {
    let out_dir = PathBuf::from(variable("OUT_DIR")?);
    watch_for(&["Cargo.toml", "Cargo.lock", "src", "manifest.json"].map(|entry| plugin.dir.join(entry)));
    watch_for(plugin.from);
    let compiled = command::compile(plugin.dir, &out_dir.join("guest").join(plugin.library))?;
    let component = lift(&read(&compiled.join(format!("{}.wasm", plugin.library)))?)
        .map_err(|cause| Error::Manifest { dir: plugin.dir.to_owned(), cause })?;
    let to = out_dir.join(format!("{}.wasm", plugin.name));
    fs::write(&to, component).map_err(|cause| Error::File { path: to, cause })
}

/// Moves the manifest of a component to its outermost level, from the core module where the compiler left it.
///
/// A component that bears it there already comes back as it is, but for where among its sections it stands.
///
/// # Errors
/// [`Unliftable`]: not a component, no manifest in it, or several.
pub fn lift(component: &[u8]) -> Result<Vec<u8>, Unliftable> {
    let (mut rest, mut found) =
        section::take(component, MANIFEST_SECTION).map_err(|Malformed| Unliftable::Malformed)?;
    match (found.pop(), found.len()) {
        (None, _) => Err(Unliftable::None),
        (Some(manifest), 0) => {
            section::append(&mut rest, MANIFEST_SECTION, &manifest);
            Ok(rest)
        }
        (Some(_), more) => Err(Unliftable::Several(more + 1)),
    }
}

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

/// The same for members that are written with `railhead-sdk`: their manifests are [lifted](lift). `from`: what the
/// workspace was made of; a change in it builds again.
///
/// # Errors
/// As [`build_plugin`].
pub fn build_lifted(guests: Guests<'_>, from: &[PathBuf]) -> Result<(), Error> {
    let out_dir = PathBuf::from(variable("OUT_DIR")?);
    watch_for(&[guests.wit]);
    watch_for(from);
    let compiled = command::compile(guests.dir, &out_dir.join("guests"))?;
    for member in guests.members {
        let component = lift(&read(&compiled.join(format!("{}.wasm", member.replace('-', "_"))))?)
            .map_err(|cause| Error::Manifest { dir: guests.dir.join(member), cause })?;
        let to = out_dir.join(format!("{member}.wasm"));
        fs::write(&to, component).map_err(|cause| Error::File { path: to, cause })?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_manifest_is_lifted() {
        let mut component = b"\0asm\x0d\0\x01\0".to_vec();
        assert_eq!(lift(&component), Err(Unliftable::None));
        append(&mut component, MANIFEST_SECTION, b"{}");
        assert_eq!(lift(&component).as_deref(), Ok(component.as_slice()));
        append(&mut component, MANIFEST_SECTION, b"{}");
        assert_eq!(lift(&component), Err(Unliftable::Several(2)));
        assert_eq!(lift(b"\x7fELF"), Err(Unliftable::Malformed));
    }
}
