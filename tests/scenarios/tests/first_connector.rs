//! A first connector as `sdk/README.md` tells it: from an empty folder to one that builds and keeps the contract, with the
//! real binary.

use railhead_harness::host::binary;
use std::path::Path;
use std::process::Command;

const NAME: &str = "first-connector";

/// Runs `railhead plugin …` in a folder; what it says.
fn plugin(folder: &Path, args: &[&str]) -> String {
    let output = Command::new(binary()).arg("plugin").args(args).current_dir(folder).output().expect("it starts");
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{args:?}: {}\n{said}\n{complained}", output.status);
    said.into_owned()
}

/// The lock file of the connectors that tests are made of, for this one: the versions that are on the machine already.
fn locked(root: &Path) -> String {
    let base = std::fs::read_to_string(root.join("tests/guests/wrong/base.lock")).expect("a lock file");
    let own =
        "name = \"base\"\nversion = \"0.1.0\"\ndependencies = [\n \"railhead-sdk\",\n \"serde\",\n \"serde_json\",\n]";
    assert!(base.contains(own), "it is another one");
    base.replace(own, &own.replace("base", NAME).replace(" \"serde_json\",\n", ""))
}

#[test]
fn what_starts_from_a_template_builds_and_keeps_the_contract() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let sdk = root.join("sdk/rust");
    let parent = tempfile::tempdir().expect("a folder");
    let folder = parent.path().join(NAME);
    std::fs::create_dir(&folder).expect("a folder");
    plugin(&folder, &["new", ".", "--template", "batch", "--sdk-path", sdk.to_str().expect("text")]);
    std::fs::write(folder.join("Cargo.lock"), locked(&root)).expect("written");
    plugin(&folder, &["build"]);
    let component = format!("dist/{NAME}.wasm");
    // The component alone, as one that somebody else built: nothing of the folder runs.
    let report = plugin(&folder, &["test", &component]);
    assert!(report.contains("the connector keeps the contract as far as they see."), "{report}");
    let shown = plugin(&folder, &["inspect", &component]);
    assert!(shown.starts_with(&format!("{NAME} 0.1.0\n")) && shown.contains("api_key: text for place"), "{shown}");
    let compared = plugin(&folder, &["inspect", &component, "--against", &component]);
    assert!(compared.contains("It may do no more than before."), "{compared}");
}
