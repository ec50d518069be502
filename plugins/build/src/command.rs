//! The inner cargo.

use crate::paths::nameless_paths;
use crate::{Error, variable};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target of every guest.
const TARGET: &str = "wasm32-wasip2";

/// Variables, or beginnings of them, that the outer cargo sets or its caller meant for the host's own target.
///
/// `CARGO_MAKEFLAGS` would have both cargos wait for the same job tokens; a `RUSTC_WORKSPACE_WRAPPER` is clippy, which
/// makes no code; flags and profiles of the host are not the guest's.
const FOREIGN: [&str; 9] = [
    "CARGO_BUILD_",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "CARGO_MAKEFLAGS",
    "CARGO_PROFILE_",
    "CARGO_TARGET_",
    "MAKEFLAGS",
    "RUSTC",
    "RUSTFLAGS",
];

/// Compiles the package in `dir`, or all members of the workspace there; answers where cargo left the components.
///
/// The target directory is its own: the outer cargo holds the lock of the other one while it waits for us.
pub(crate) fn compile(dir: &Path, target_dir: &Path) -> Result<PathBuf, Error> {
    let status = cargo()?
        .current_dir(dir)
        .args(["build", "--workspace", "--lib", "--release", "--locked", "--target", TARGET, "--target-dir"])
        .arg(target_dir)
        .args(nameless_paths(dir, TARGET))
        .status()
        .map_err(Error::Start)?;
    if !status.success() {
        return Err(Error::Compile { dir: dir.to_owned(), status });
    }
    Ok(target_dir.join(TARGET).join("release"))
}

/// The same cargo as the one that runs us, in a clean environment.
fn cargo() -> Result<Command, Error> {
    let mut command = Command::new(variable("CARGO")?);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_foreign) {
            command.env_remove(name);
        }
    }
    Ok(command)
}

fn is_foreign(name: &str) -> bool {
    FOREIGN.iter().any(|beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::is_foreign;

    #[test]
    fn what_was_meant_for_the_host_is_taken_away() {
        for name in [
            "RUSTC_WORKSPACE_WRAPPER",
            "RUSTFLAGS",
            "CARGO_TARGET_DIR",
            "CARGO_BUILD_TARGET",
            "CARGO_PROFILE_RELEASE_LTO",
            "CARGO_MAKEFLAGS",
        ] {
            assert!(is_foreign(name), "{name}");
        }
    }

    #[test]
    fn what_finds_compiler_and_registry_stays() {
        for name in ["PATH", "HOME", "CARGO_HOME", "CARGO_NET_OFFLINE", "CARGO_REGISTRIES_X_INDEX", "RUSTUP_TOOLCHAIN"]
        {
            assert!(!is_foreign(name), "{name}");
        }
    }
}
