//! Where a component was built must not show in it: nobody's folders are published, and builds can be compared.

use std::env;
use std::path::{Path, PathBuf};

/// Arguments for cargo with which panic messages name `/cargo/…` and `/source/…`, not the builder's own folders.
///
/// `dir` is the package's folder; of the folders above it, the outermost with a `Cargo.toml` becomes `/source`. Flags in a
/// `RUSTFLAGS` of the environment win over these, as cargo has it.
#[must_use]
pub fn nameless_paths(dir: &Path, target: &str) -> [String; 2] {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let source = dir.ancestors().filter(|above| above.join("Cargo.toml").is_file()).last().unwrap_or(&dir).to_owned();
    let folders = [cargo_home().map(|home| (home, "/cargo")), Some((source, "/source"))];
    let flags: Vec<String> = folders
        .into_iter()
        .flatten()
        .map(|(folder, name)| format!("{:?}", format!("--remap-path-prefix={}={name}", folder.display())))
        .collect();
    ["--config".to_owned(), format!("target.{target}.rustflags=[{}]", flags.join(","))]
}

fn cargo_home() -> Option<PathBuf> {
    let given = env::var_os("CARGO_HOME").map(PathBuf::from);
    given.or_else(|| env::home_dir().map(|home| home.join(".cargo")))
}

#[cfg(test)]
mod tests {
    use super::nameless_paths;
    use std::path::Path;

    #[test]
    fn the_whole_tree_around_a_package_is_named_source() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let [option, flags] = nameless_paths(here, "wasm32-wasip2");
        assert_eq!(option, "--config");
        assert!(flags.starts_with("target.wasm32-wasip2.rustflags=[\"--remap-path-prefix="), "{flags}");
        let root = here.parent().and_then(Path::parent).unwrap();
        assert!(flags.ends_with(&format!("\"--remap-path-prefix={}=/source\"]", root.display())), "{flags}");
    }
}
