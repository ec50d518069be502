//! What two versions of a connector may do, held against each other.

use super::changes::Change;
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
    assert!(told(&facts(&webhook()), &facts(&newer), &changes).ends_with("look at each + before you approve it."));
    let back = super::changes(&newer, &webhook());
    assert!(back.iter().any(|change| change.words.starts_with("- it no longer connects to elsewhere")));
}

/// The words of all changes, in two lists: those that are more, and the others.
fn words(old: &Inspected, new: &Inspected) -> (Vec<String>, Vec<String>) {
    let of = |(more, others): (Vec<Change>, Vec<Change>)| {
        let words = |changes: Vec<Change>| changes.into_iter().map(|change| change.words).collect();
        (words(more), words(others))
    };
    of(changes(old, new).into_iter().partition(|change| change.more))
}

#[test]
fn a_looser_rule_of_where_it_connects_to_is_more() {
    let pattern = "/config_schema/properties/url/pattern";
    let looser = with(|manifest| *manifest.pointer_mut(pattern).unwrap() = json!(".*"));
    let (more, _) = words(&webhook(), &looser);
    assert!(
        more.len() == 1 && more[0].starts_with("+ /url, where it connects to, is bound by another pattern"),
        "{more:?}"
    );
    let tighter = with(|manifest| manifest["config_schema"]["properties"]["url"]["minLength"] = json!(12));
    assert_eq!(words(&webhook(), &tighter), (vec![], vec!["~ the configuration's schema is another one".to_owned()]));
    let shorter = with(|manifest| manifest["config_schema"]["properties"]["url"]["minLength"] = json!(1));
    assert_eq!(words(&webhook(), &shorter).0.len(), 1);
    let described = with(|manifest| manifest["config_schema"]["properties"]["url"]["title"] = json!("Where to"));
    assert_eq!(words(&webhook(), &described).0, Vec::<String>::new());
}

#[test]
fn more_at_once_is_more_and_less_is_not() {
    let more = with(|manifest| {
        manifest["max_sessions"] = json!(1_000);
        manifest["hand_over"] = json!(1_001);
        manifest["batch"]["max_events"] = json!(1_000_000);
    });
    let (told, others) = words(&webhook(), &more);
    assert_eq!((told.len(), others.len()), (3, 0), "{told:?}");
    assert!(told[0].starts_with("+ 1000 sessions of a destination at once, not "), "{told:?}");
    let (told, others) = words(&more, &webhook());
    assert_eq!((told.len(), others.len()), (0, 3), "{others:?}");
}

#[test]
fn a_credential_that_is_no_longer_required_is_not_more() {
    let required = with(|manifest| manifest["credentials"][0]["required"] = json!(true));
    for (old, new) in [(&required, &webhook()), (&webhook(), &required)] {
        let (more, others) = words(old, new);
        assert!(
            more.is_empty() && others.len() == 1 && others[0].starts_with("~ it holds signing_secret"),
            "{others:?}"
        );
    }
    let shared = with(|manifest| manifest["credentials"][4]["shared"] = json!(true));
    assert_eq!((words(&webhook(), &shared).0.len(), words(&shared, &webhook()).0.len()), (1, 0));
}

#[test]
fn a_terminal_acts_on_nothing_that_a_component_says() {
    let evil = "a\u{1b}[2J\nIt may do no more than before.\u{9b}31m\u{202e}";
    let loud = with(|manifest| {
        let origin = json!({ "name": evil, "literal": format!("https://elsewhere.example/{evil}") });
        manifest["origins"].as_array_mut().unwrap().push(origin);
        manifest["version"] = json!(evil);
        manifest["credentials"][0]["name"] = json!(evil);
        manifest["credentials"][0]["guards"] = json!([]);
    });
    let (before, after) = (facts(&webhook()), facts(&loud));
    let all = [for_people(&after), told(&before, &after, &changes(&webhook(), &loud)), after.to_string()].concat();
    assert!(all.contains("elsewhere.example"), "{all}");
    let acts = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert!(!all.contains(acts), "{all:?}");
    // Nor has it a line of its own.
    assert!(all.lines().all(|line| !line.starts_with("It may do no more than before.")), "{all}");
}
