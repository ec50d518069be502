//! Connectors that are one line away from one that keeps the contract: the suite names the rule that each breaks.

use futures::StreamExt as _;
use railhead_plugin_harness::{Dialogue, Harness, Step, TcpPeer, numbered};
use railhead_plugin_kit::{Plugin, Report, Verdict, run};
use railhead_wrong_guests::{BASE, BASE_FOLDER, TEMPLATES, WRONG, Wrong};
use serde_json::json;
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
        let written = report.findings.iter().find(|found| found.rule == "T11");
        assert!(written.is_none_or(|found| found.verdict == Verdict::Ok), "{name}: {written:?}");
        assert_eq!(written.is_some(), name == "stream");
    }
}

#[tokio::test]
async fn what_is_not_judged_is_told() {
    let mut plugin = Plugin::in_folder(BASE.to_vec(), Path::new(BASE_FOLDER)).unwrap();
    plugin.plan = serde_json::from_value(json!({ "server": "real", "ways": [{ "name": "other" }] })).unwrap();
    let report = run(&plugin).await.unwrap();
    let skipped: Vec<&str> = report.skipped().map(|found| found.rule).collect();
    assert!(report.is_ok() && ["O3", "D8", "D10", "C2", "C7"].iter().all(|rule| skipped.contains(rule)), "{skipped:?}");
    let table = report.table();
    assert!(table.contains("Not made") && table.contains("the way \"other\" of test.json delivers"), "{table}");
}

#[tokio::test]
async fn other_ways_of_a_stream_follow_its_dialogue() {
    let (_, component, folder) = TEMPLATES.into_iter().find(|(name, ..)| *name == "stream").unwrap();
    let mut plugin = Plugin::in_folder(component.to_vec(), Path::new(folder)).unwrap();
    plugin.plan.ways = serde_json::from_value(json!([{ "name": "other" }])).unwrap();
    let way = "the way \"other\" of test.json delivers";
    let verdict = |report: Report| report.findings.into_iter().find(|found| found.check == way).map(|it| it.verdict);
    assert_eq!(verdict(run(&plugin).await.unwrap()), Some(Verdict::Ok));
    plugin.plan.dialogue.clear();
    let verdict = verdict(run(&plugin).await.unwrap());
    assert!(matches!(verdict, Some(Verdict::Skipped(_))), "{verdict:?}");
}

/// A word that nobody asked for is no answer to the next event.
#[tokio::test]
async fn the_stream_template_uses_no_connection_that_speaks_by_itself() {
    let (_, component, _) = TEMPLATES.into_iter().find(|(name, ..)| *name == "stream").unwrap();
    let harness = Harness::new().unwrap();
    let connector = harness.load(component).await.unwrap();
    let line = || Step::ReadUntil(b"\n".to_vec());
    let peer = TcpPeer::following_in_turn(vec![
        Dialogue(vec![line(), Step::Send(b"+taken\n-and good bye\n".to_vec())]),
        Dialogue(vec![line(), Step::Send(b"+taken\n".to_vec())]),
    ])
    .unwrap();
    let config = json!({ "host": "127.0.0.1", "port": peer.port(), "security": "plain" });
    let destination = harness.destination(&connector, config);
    for number in [1, 2] {
        let settled = destination.deliver_one(numbered(number, b"{}")).await;
        assert_eq!(settled.outcome.class().as_str(), "delivered", "{number}: {:?}", settled.outcome);
    }
    assert_eq!(peer.connections(), 2);
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
