//! `railhead plugin build`: compile, and put the manifest where the host reads it.

use super::{read, say, write};
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
    let package = package(dir)?;
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
    let library = target.join(TARGET).join("release").join(format!("{}.wasm", package.replace('-', "_")));
    let lifted = railhead_guest_build::lift(&read(&library)?)
        .map_err(|why| format!("{} cannot be used: {why}", library.display()))?;
    let dist = dir.join("dist");
    std::fs::create_dir_all(&dist).map_err(|cause| format!("{} cannot be made: {cause}", dist.display()))?;
    let to = dist.join(format!("{package}.wasm"));
    write(&to, &lifted)?;
    Ok(to)
}

/// The name in the folder's `Cargo.toml`.
fn package(dir: &Path) -> Result<String, String> {
    let path = dir.join("Cargo.toml");
    let text = String::from_utf8(read(&path)?).map_err(|_| format!("{} is not UTF-8", path.display()))?;
    let manifest: toml::Table = text.parse().map_err(|cause| format!("{}: {cause}", path.display()))?;
    let name = manifest.get("package").and_then(|package| package.get("name")).and_then(|name| name.as_str());
    name.map(str::to_owned).ok_or_else(|| format!("{} names no package", path.display()))
}
