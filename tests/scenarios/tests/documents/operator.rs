//! `host/README.md`: its commands for backup and restore as they stand there, its example, its metrics.

use super::page;
use railhead_harness::host::ADMIN_KEY;
use railhead_harness::{Client, Host, HostOptions, Script, Sink};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs a block with the three folders that it names.
fn shell(script: &str, data: &Path, backup: &Path, safe: &Path) {
    let out = Command::new("sh")
        .args(["-euc", script])
        .env("DATA", data)
        .env("BACKUP", backup)
        .env("SAFE", safe)
        .output()
        .expect("sh runs");
    assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
}

fn event(id: &str) -> Value {
    json!({"tenant": "acme", "type": "order.created", "id": id, "data": {"text": "x".repeat(1_000)}})
}

/// Publishes one event after the other until it is told to stop; how many were acknowledged is counted.
async fn publish(client: Client, acknowledged: Arc<AtomicUsize>, mut stop: tokio::sync::oneshot::Receiver<()>) {
    for n in 0.. {
        if stop.try_recv().is_ok() {
            return;
        }
        assert_eq!(client.post("/v1/events", &event(&format!("during-{n}"))).await.0, 202);
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_taken_while_the_host_works_is_restored_by_the_commands_of_the_page() {
    let page = page::read("host/README.md");
    let folder = || tempfile::tempdir().expect("a folder");
    let (data, backup, safe, sink) = (folder(), folder(), folder(), Sink::start().await);
    sink.script("/hook", Script::Status(503));
    let mut host = Host::start(data.path(), &HostOptions::default()).await;
    let client = host.client();
    client.make_tenant("acme").await;
    let hook = json!({"connector": "webhook", "config": {"url": sink.url("/hook")},
                      "retry": {"schedule_ms": [1000, 1000, 600_000]}});
    client.make_destination("acme", "hook", &hook).await;
    for n in 0..20 {
        assert_eq!(client.post("/v1/events", &event(&format!("before-{n}"))).await.0, 202);
    }

    let (acknowledged, (stop, stopped)) = (Arc::new(AtomicUsize::new(0)), tokio::sync::oneshot::channel());
    let publisher = tokio::spawn(publish(host.client(), Arc::clone(&acknowledged), stopped));
    let script = page::blocks(&page, "sh backup").join("\n");
    let (from, to, keep) = (data.path().to_owned(), backup.path().to_owned(), safe.path().to_owned());
    let taken = tokio::task::spawn_blocking(move || shell(&script, &from, &to, &keep));
    taken.await.expect("the backup is taken");
    // The host went on meanwhile, and goes on.
    let at_the_end = acknowledged.load(Ordering::Relaxed);
    while acknowledged.load(Ordering::Relaxed) < at_the_end + 10 {
        tokio::task::yield_now().await;
    }
    stop.send(()).expect("it listens");
    publisher.await.expect("every publish was acknowledged");
    assert_eq!(host.terminate(), Some(0), "{}", host.log());

    // Restored over what is there, the log of the newer database included.
    shell(&page::block(&page, "sh restore"), data.path(), backup.path(), safe.path());
    sink.script("/hook", Script::Status(204));
    let seen = sink.count();
    let host = Host::start(data.path(), &HostOptions::default()).await;
    let client = host.client();
    let events = client.list("/v1/tenants/acme/events").await;
    let is_there = |id: &str| events.iter().any(|event| event["id"] == id);
    assert!((0..20).all(|n| is_there(&format!("before-{n}"))), "{} events", events.len());
    assert!(events.len() < 20 + acknowledged.load(Ordering::Relaxed), "what came after the backup is not in it");
    let (status, payload) = client.get("/v1/tenants/acme/events/before-7/payload").await;
    assert_eq!(status, 200, "{payload}");
    assert!(payload.to_string().contains("xxxx"), "{payload}");
    assert_eq!(client.post("/v1/events", &event("after")).await.0, 202);
    let is_it = |one: &railhead_harness::Received| one.headers["webhook-id"] == "after" && one.status == 204;
    let limit = std::time::Duration::from_secs(60);
    assert!(sink.wait(limit, |all| all.iter().skip(seen).any(is_it)).await, "{}", host.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_an_environments_settings_is_taken_whole() {
    let page = page::read("host/README.md");
    let example: Value = serde_json::from_str(&page::block(&page, "json environment")).expect("JSON");
    let folder = tempfile::tempdir().expect("a folder");
    let host = Host::start(folder.path(), &HostOptions::default()).await;
    let (status, saved) = host.client().with_key(ADMIN_KEY).patch("/v1/environments/live", &example).await;
    assert_eq!(status, 200, "{saved}");
    for (field, value) in example.as_object().expect("an object") {
        assert_eq!(&saved[field], value, "{field}");
    }
    // Every field of the example stands in the table, and the reverse.
    let mut listed: BTreeSet<String> = page::table(&page, "field").into_iter().map(|row| row[0].clone()).collect();
    for (group, fields) in example.as_object().expect("an object") {
        for field in fields.as_object().into_iter().flatten().filter(|_| group != "connectors") {
            assert!(listed.remove(&format!("`{group}.{}`", field.0)), "{group}.{}", field.0);
        }
    }
    for field in example["connectors"]["webhook"].as_object().expect("an object").keys() {
        assert!(listed.remove(&format!("`connectors.*.{field}`")), "{field}");
    }
    assert_eq!(listed.into_iter().collect::<Vec<_>>(), ["`create_tenants`"]);
}

#[test]
fn the_table_of_metrics_is_the_code() {
    let listed: BTreeSet<String> = page::table(&page::read("host/README.md"), "metric")
        .into_iter()
        .map(|row| row[0].trim_matches('`').to_owned())
        .collect();
    let mut named = BTreeSet::new();
    for file in page::files("host", "rs") {
        let text = page::read(&file);
        let quoted = text.split('"').filter(|part| part.starts_with("railhead_"));
        named.extend(quoted.filter(|part| is_metric(part)).map(str::to_owned));
    }
    assert_eq!(listed, named);
}

/// Targets and crates are `railhead_…` too; metrics are counters and histograms by their suffix, and the few gauges.
fn is_metric(name: &str) -> bool {
    let gauges = ["_events", "_bytes", "_hand_overs", "_in_flight", "_destinations", "_shards"];
    let word = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    word && (name.ends_with("_total") || name.ends_with("_seconds") || gauges.iter().any(|end| name.ends_with(end)))
}
