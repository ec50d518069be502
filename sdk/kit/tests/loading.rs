//! What the loader refuses is a finding of the suite, with the rule that it breaks.

use railhead_guest_build::{MANIFEST_SECTION, append, take};
use railhead_plugin_kit::{Plugin, Verdict, run};
use railhead_wrong_guests::{BASE, BASE_FOLDER};
use serde_json::Value;
use std::path::Path;

/// The rule that this component breaks, and what is said of it.
async fn broken(component: Vec<u8>) -> Vec<(&'static str, String)> {
    let report = run(&Plugin::in_folder(component, Path::new(BASE_FOLDER)).unwrap()).await.unwrap();
    let failed = report.findings.iter().filter_map(|found| match &found.verdict {
        Verdict::Failed(words) => Some((found.rule, words.clone())),
        _ => None,
    });
    failed.collect()
}

/// The connector that keeps the contract, with other words about itself.
fn saying(change: impl Fn(&mut Value)) -> Vec<u8> {
    let (mut component, manifests) = take(BASE, MANIFEST_SECTION).unwrap();
    let mut manifest: Value = serde_json::from_slice(&manifests[0]).unwrap();
    change(&mut manifest);
    append(&mut component, MANIFEST_SECTION, manifest.to_string().as_bytes());
    component
}

#[tokio::test]
async fn what_cannot_be_loaded_breaks_a_rule() {
    let mut twice = BASE.to_vec();
    append(&mut twice, MANIFEST_SECTION, b"{}");
    let (without, _) = take(BASE, MANIFEST_SECTION).unwrap();
    let unknown = String::from("railhead:plugin/htpp@0.1.0");
    let mut elsewhere = BASE.to_vec();
    let known = b"railhead:plugin/http@0.1.0";
    let places: Vec<usize> = BASE.windows(known.len()).enumerate().filter(|it| it.1 == known).map(|it| it.0).collect();
    assert!(!places.is_empty());
    places.iter().for_each(|at| elsewhere[*at..at + known.len()].copy_from_slice(unknown.as_bytes()));
    let cases = [
        (twice, "M1", "custom sections"),
        (without, "M1", "custom sections"),
        (saying(|manifest| manifest["colour"] = "red".into()), "M5", "colour"),
        (saying(|manifest| manifest["contract"] = "9.9.0".into()), "N1", "contract"),
        (elsewhere, "N3", unknown.as_str()),
        (b"\x7fELF".to_vec(), "N1", "component"),
    ];
    for (component, rule, says) in cases {
        let broken = broken(component).await;
        let [(named, words)] = broken.as_slice() else { panic!("{rule}: {broken:?}") };
        assert!(*named == rule && words.contains(says), "{rule}: {broken:?}");
    }
}

#[tokio::test]
async fn what_hides_a_secret_or_leaves_a_schema_open_is_seen() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str, &str); 4] = [
        (|schema| schema["properties"]["note"]["additionalProperties"] = true.into(), "", ""),
        (
            |schema| {
                schema["properties"]["more"] = serde_json::json!({
                    "description": "More.", "type": "object", "properties": {}, "additionalProperties": true
                });
            },
            "M2",
            "/more takes fields",
        ),
        (
            |schema| schema["properties"]["more"] = serde_json::json!({ "description": "More.", "type": "object" }),
            "M2",
            "/more takes fields",
        ),
        (
            |schema| schema["properties"]["signedParts"] = serde_json::json!({ "description": "What." }),
            "M4",
            "signedParts",
        ),
    ];
    for (change, rule, says) in cases {
        let broken = broken(saying(|manifest| change(&mut manifest["config_schema"]))).await;
        let said: Vec<&str> = broken.iter().map(|(rule, _)| *rule).collect();
        assert_eq!(said, if rule.is_empty() { vec![] } else { vec![rule] }, "{broken:?}");
        assert!(broken.iter().all(|(_, words)| words.contains(says)), "{broken:?}");
    }
}
