//! What the commands print and write, whoever wrote what they are given.

use super::new::run as new;
use super::{NewArgs, Template, replace, safe};
use std::path::{Path, PathBuf};

#[test]
fn a_terminal_acts_on_nothing_that_is_said() {
    assert_eq!(safe("a\u{1b}[2Jb\nc\rd\u{9b}31m\u{202e}e\u{7f}\n\n"), "a [2Jb\nc d 31m e ");
}

#[test]
fn what_is_written_takes_the_place_of_a_link() {
    let dir = tempfile::tempdir().unwrap();
    let (precious, link) = (dir.path().join("precious"), dir.path().join("x.wasm"));
    std::fs::write(&precious, "precious").unwrap();
    std::os::unix::fs::symlink(&precious, &link).unwrap();
    replace(&link, b"new").unwrap();
    assert_eq!(std::fs::read(&link).unwrap(), b"new");
    assert_eq!(std::fs::read(&precious).unwrap(), b"precious");
    replace(&link, b"newer").unwrap();
    assert_eq!(std::fs::read(&link).unwrap(), b"newer");
}

fn args(dir: PathBuf) -> NewArgs {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/rust");
    NewArgs { dir, template: Template::Stream, name: None, sdk_path: Some(sdk), sdk_git: None }
}

#[test]
fn a_new_plugin_is_named_after_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("acme-queue");
    std::fs::create_dir_all(folder.join("src")).unwrap();
    std::fs::remove_dir(folder.join("src")).unwrap();
    // As `.` within it.
    new(&args(folder.join("."))).unwrap();
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    assert!(manifest.contains("name = \"acme-queue\""), "{manifest}");
    assert!(new(&args(folder)).unwrap_err().contains("is not empty"));
    new(&args(dir.path().join("acme-topic"))).unwrap();
    assert!(new(&args(dir.path().join("Acme Queue"))).unwrap_err().contains("kebab-case"));
}
