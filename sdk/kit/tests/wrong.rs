//! Connectors that are one line away from one that keeps the contract: the suite names the rule that each breaks.

use futures::StreamExt as _;
use railhead_plugin_kit::{Plugin, Report, Verdict, run};
use railhead_wrong_guests::{BASE, BASE_FOLDER, TEMPLATES, WRONG, Wrong};
use std::path::Path;

async fn judged(component: &[u8], folder: &str) -> Report {
    run(&Plugin::in_folder(component.to_vec(), Path::new(folder)).unwrap()).await.unwrap()
}

#[tokio::test]
async fn the_connector_that_keeps_the_contract_passes() {
    let report = judged(BASE, BASE_FOLDER).await;
    let ok = report.findings.iter().filter(|found| found.verdict == Verdict::Ok).count();
    assert!(report.is_ok() && ok > 50, "{}", report.table());
}

#[tokio::test]
async fn what_new_plugins_start_from_passes() {
    for (name, component, folder) in TEMPLATES {
        let report = judged(component, folder).await;
        let delivers = report.findings.iter().any(|found| found.rule == "O3" && found.verdict == Verdict::Ok);
        assert!(report.is_ok() && delivers, "{name}: {}", report.table());
    }
}

/// What the suite should have said of it, where it did not.
async fn missed(wrong: &Wrong) -> Option<String> {
    let report = judged(wrong.component, wrong.folder).await;
    let named = report.failures().any(|found| {
        let Verdict::Failed(words) = &found.verdict else { return false };
        found.rule == wrong.rule && words.contains(wrong.says)
    });
    (!named).then(|| format!("{}: expected {} and {:?}\n{}", wrong.name, wrong.rule, wrong.says, report.table()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_wrong_one_is_told_which_rule_it_breaks() {
    let missed: Vec<_> = futures::stream::iter(WRONG).map(missed).buffer_unordered(8).collect().await;
    let missed: Vec<String> = missed.into_iter().flatten().collect();
    assert!(missed.is_empty(), "{} of {}\n{}", missed.len(), WRONG.len(), missed.join("\n"));
}
