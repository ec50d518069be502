//! What is refused before it is compiled, and what the cache keeps.

use crate::support::{behave, call, deliver, sandbox, sandbox_with, summary, target};
use railhead_sandbox::{LoadError, SandboxConfig};

#[tokio::test]
async fn what_is_not_a_connector_is_refused_with_a_code() {
    let sandbox = sandbox();
    let code = async |bytes: &[u8]| sandbox.load(bytes).await.map(|_| ()).unwrap_err().code();
    assert_eq!(code(b"hello").await, "component-invalid");
    assert_eq!(code(b"\0asm\x01\0\0\0").await, "component-invalid"); // a core module
    assert_eq!(code(b"\0asm\x0d\0\x01\0").await, "export-missing"); // an empty component
    assert_eq!(code(&vec![0; 17 * 1024 * 1024]).await, "component-too-large");
}

#[tokio::test]
async fn an_import_of_ours_that_is_not_there_is_named() {
    // The same name, one letter off, wherever the component has it.
    let mut component = railhead_test_guests::MISBEHAVE.to_vec();
    let name = b"railhead:plugin/http@0.1.0";
    let places: Vec<usize> =
        component.windows(name.len()).enumerate().filter(|(_, w)| w == name).map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    for at in places {
        component[at + name.len() - 3] = b'9';
    }
    let error = sandbox().load(&component).await.map(|_| ()).unwrap_err();
    assert_eq!(error, LoadError::UnknownImport("railhead:plugin/http@0.9.0".to_owned()));
}

#[tokio::test]
async fn one_manifest_is_wanted() {
    let mut twice = railhead_test_guests::MISBEHAVE.to_vec();
    twice.extend_from_slice(b"\x00\x14\x11railhead:manifest{}");
    let error = sandbox().load(&twice).await.map(|_| ()).unwrap_err();
    assert_eq!(error.code(), "manifest-invalid");
}

#[tokio::test]
async fn an_image_from_the_cache_runs() {
    let dir = tempfile::tempdir().unwrap();
    let config = SandboxConfig {
        max_instances: 10,
        cache_dir: Some(dir.path().join("images")),
        cache_key: [3; 32],
        ..SandboxConfig::default()
    };
    for _ in 0..2 {
        let sandbox = sandbox_with(config.clone());
        let connector = sandbox.load(railhead_test_guests::MISBEHAVE).await.unwrap();
        let settled = deliver(&sandbox, &target(&connector, behave("ok")), call(1, 10_000)).await;
        assert_eq!(summary(&settled), [("delivered", "not-sent".to_owned())]);
    }
    assert_eq!(std::fs::read_dir(dir.path().join("images")).unwrap().count(), 1);
}
