//! The rules that are tested are those that are written down, and the webhook connector keeps them.

use crate::{Plugin, RULES, run};
use std::path::Path;

const CONTRACT: &str = include_str!("../../../wit/README.md");

#[test]
fn every_rule_is_in_the_contract() {
    let missing: Vec<&str> =
        RULES.iter().map(|rule| rule.id).filter(|id| !CONTRACT.contains(&format!("**{id}**"))).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[tokio::test]
async fn first_party_plugins_keep_the_contract() {
    let plugins = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins"));
    for plugin in railhead_plugins::ALL {
        let judged = Plugin::in_folder(plugin.component.to_vec(), &plugins.join(plugin.name)).unwrap();
        let report = run(&judged).await.unwrap();
        assert!(report.is_ok() && report.findings.len() > 20, "{}", report.table());
    }
}
