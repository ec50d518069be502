//! What two versions of a connector may do, held against each other.

use super::{changes, facts, for_people, told};
use railhead_sandbox::{Inspected, inspect};
use serde_json::json;

fn webhook() -> Inspected {
    inspect(railhead_plugins::WEBHOOK).unwrap()
}

/// The webhook connector with another manifest.
fn with(change: impl Fn(&mut serde_json::Value)) -> Inspected {
    let mut inspected = webhook();
    let mut manifest = serde_json::to_value(&inspected.manifest).unwrap();
    change(&mut manifest);
    inspected.manifest = serde_json::from_value(manifest).unwrap();
    inspected
}

#[test]
fn a_component_is_shown_with_what_it_uses() {
    let shown = for_people(&facts(&webhook()));
    for line in [
        "contract      0.1.0",
        "world         connector",
        "railhead:plugin/http@0.1.0#send-all",
        "endpoint: what the owner sets at /url",
        "token-endpoint: what the owner sets at /oauth2/token_url, a token endpoint",
        "signing_secret: bytes for sign-request, to all origins, shared",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
}

#[test]
fn the_same_component_may_do_no_more() {
    assert!(changes(&webhook(), &webhook()).is_empty());
}

#[test]
fn a_new_origin_a_new_use_and_a_lost_guard_are_more() {
    let origin = json!({ "name": "elsewhere", "literal": "https://elsewhere.example" });
    let newer = with(|manifest| {
        manifest["origins"].as_array_mut().unwrap().push(origin.clone());
        manifest["credentials"][0]["guards"] = json!(["/signatures"]);
        manifest["credentials"][4]["origins"] = json!([]);
    });
    let changes = changes(&webhook(), &newer);
    let more: Vec<&str> = changes.iter().filter(|change| change.more).map(|change| change.words.as_str()).collect();
    assert_eq!(
        more,
        [
            "+ it connects to elsewhere: https://elsewhere.example",
            "+ it holds api_key: text for place, to all origins",
            "+ /header_prefix no longer needs the right to write the credential \"signing_secret\"",
        ]
    );
    assert!(told(&webhook(), &newer, &changes).ends_with("look at each + before you approve it."));
    let back = super::changes(&newer, &webhook());
    assert!(back.iter().any(|change| change.words.starts_with("- it no longer connects to elsewhere")));
}
