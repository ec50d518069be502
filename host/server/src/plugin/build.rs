//! `railhead plugin build`: compile, and put the manifest where the host reads it.

use super::{read, replace, say};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target of every plugin.
const TARGET: &str = "wasm32-wasip2";

/// Builds the plugin in a folder and says where the component is.
pub(super) fn run(dir: &Path) -> Result<PathBuf, String> {
    let built = component(dir)?;
    let bytes = std::fs::metadata(&built).map(|file| file.len()).unwrap_or_default();
    say(&format!("{} ({bytes} bytes)", built.display()));
    Ok(built)
}

/// The component of the plugin in a folder, built anew.
pub(super) fn component(dir: &Path) -> Result<PathBuf, String> {
    let Package { name, library } = package(dir)?;
    // In a place of the plugin's own: a workspace around it would put it elsewhere.
    let target = dir.join("target");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(dir)
        .args(["build", "--lib", "--release", "--target", TARGET, "--target-dir", "target"])
        .args(railhead_guest_build::nameless_paths(dir, TARGET))
        .status()
        .map_err(|cause| format!("cargo cannot be started: {cause}. Rust is at https://rustup.rs"))?;
    if !status.success() {
        return Err(format!(
            "{} does not compile ({status}). If cargo said that the target is missing: rustup target add {TARGET}",
            dir.display()
        ));
    }
    let library = target.join(TARGET).join("release").join(format!("{library}.wasm"));
    let lifted = railhead_guest_build::lift(&read(&library)?)
        .map_err(|why| format!("{} cannot be used: {why}", library.display()))?;
    let dist = dir.join("dist");
    std::fs::create_dir_all(&dist).map_err(|cause| format!("{} cannot be made: {cause}", dist.display()))?;
    // Whoever made the folder must not choose what is written over elsewhere.
    if dist.is_symlink() {
        return Err(format!("{} is a link: make it a folder, or remove it.", dist.display()));
    }
    let to = dist.join(format!("{name}.wasm"));
    replace(&to, &lifted)?;
    Ok(to)
}

/// What a folder's `Cargo.toml` says of it.
#[derive(Debug, PartialEq, Eq)]
struct Package {
    name: String,
    /// File name of what is compiled, without the extension.
    library: String,
}

fn package(dir: &Path) -> Result<Package, String> {
    let path = dir.join("Cargo.toml");
    let text = String::from_utf8(read(&path)?).map_err(|_| format!("{} is not UTF-8", path.display()))?;
    let manifest: toml::Table = text.parse().map_err(|cause| format!("{}: {cause}", path.display()))?;
    let name_in = |table: &str| Some(manifest.get(table)?.get("name")?.as_str()?.to_owned());
    let name = name_in("package").ok_or_else(|| format!("{} names no package", path.display()))?;
    // Both become the names of files.
    let library = name_in("lib").unwrap_or_else(|| name.replace('-', "_"));
    if let Some(name) = [&name, &library].into_iter().find(|name| !is_file_name(name)) {
        return Err(format!("{}: {name:?} is no name of a package or a library", path.display()));
    }
    Ok(Package { name, library })
}

fn is_file_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use super::{Package, package};

    fn of(text: &str) -> Result<Package, String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("Cargo.toml"), text).unwrap();
        package(dir.path())
    }

    #[test]
    fn a_library_may_have_a_name_of_its_own() {
        let named = |name: &str, library: &str| Ok(Package { name: name.to_owned(), library: library.to_owned() });
        assert_eq!(of("[package]\nname = \"acme-queue\""), named("acme-queue", "acme_queue"));
        assert_eq!(of("[package]\nname = \"acme-queue\"\n[lib]\nname = \"queue\""), named("acme-queue", "queue"));
        assert_eq!(of("[package]\nname = \"acme-queue\"\n[lib]\n"), named("acme-queue", "acme_queue"));
        assert!(of("[lib]\nname = \"queue\"").is_err());
        assert!(of("[package]\nname = \"../../elsewhere\"").is_err());
    }
}
