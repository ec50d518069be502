//! `host/README.md`: its commands for backup and restore of PostgreSQL, as they stand there.

use super::page;
use railhead_harness::host::binary;
use railhead_harness::{Host, HostOptions, Postgres, Script, Sink};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

fn event(id: &str) -> Value {
    json!({"tenant": "acme", "type": "order.created", "id": id, "data": {"text": "x".repeat(1_000)}})
}

/// Runs a block with what it names, and with the program on its path.
fn shell(script: &str, database: &str, backup: &Path) {
    let path = std::env::var("PATH").unwrap_or_default();
    let own = binary().parent().expect("a folder").display();
    // The program may have another name than the page's.
    let script = script.replace(" railhead ", &format!(" {} ", binary().display()));
    let mut command = Command::new("sh");
    command
        .args(["-euc", &script])
        .env("DATABASE", database)
        .env("BACKUP", backup)
        .env("PATH", format!("{own}:{path}"));
    let out = command.output().expect("sh runs");
    assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_taken_while_a_host_works_is_restored_by_the_commands_of_the_page() {
    let Some(postgres) = Postgres::start(&[]).await else { return };
    let page = page::read("host/README.md");
    let (folder, sink) = (tempfile::tempdir().expect("a folder"), Sink::start().await);
    sink.script("/hook", Script::Status(503));
    let options = |url: &str| HostOptions {
        arguments: vec!["--migrate".to_owned()],
        ..HostOptions::on_postgres(url, folder.path())
    };
    let mut host = Host::start(&folder.path().join("a"), &options(&postgres.url())).await;
    let client = host.client();
    client.make_tenant("acme").await;
    let hook = json!({"connector": "webhook", "config": {"url": sink.url("/hook")},
                      "retry": {"schedule_ms": [1000, 1000, 600_000]}});
    client.make_destination("acme", "hook", &hook).await;
    for n in 0..20 {
        assert_eq!(client.post("/v1/events", &event(&format!("before-{n}"))).await.0, 202);
    }

    // The host goes on accepting while the dump is taken.
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let publisher = tokio::spawn({
        let (client, stop, count) = (host.client(), Arc::clone(&stop), Arc::clone(&count));
        async move {
            while !stop.load(Ordering::Relaxed) {
                let id = format!("during-{}", count.fetch_add(1, Ordering::Relaxed));
                assert_eq!(client.post("/v1/events", &event(&id)).await.0, 202);
            }
        }
    });
    let (script, url, to) = (page::block(&page, "sh backup-postgres"), postgres.url(), folder.path().to_owned());
    tokio::task::spawn_blocking(move || shell(&script, &url, &to)).await.expect("the dump is taken");
    stop.store(true, Ordering::Relaxed);
    publisher.await.expect("every publish was acknowledged");
    assert_eq!(client.post("/v1/events", &event("lost")).await.0, 202);
    assert_eq!(host.terminate(), Some(0), "{}", host.log());

    let restored = postgres.new_database();
    shell(&page::block(&page, "sh restore-postgres"), &restored, folder.path());
    sink.script("/hook", Script::Status(204));
    let host = Host::start(&folder.path().join("b"), &options(&restored)).await;
    let client = host.client();
    let events = client.list("/v1/tenants/acme/events").await;
    let is_there = |id: &str| events.iter().any(|event| event["id"] == id);
    assert!((0..20).all(|n| is_there(&format!("before-{n}"))), "{} events", events.len());
    assert!(!is_there("lost"), "what came after the dump is not in it");
    let (status, payload) = client.get("/v1/tenants/acme/events/before-7/payload").await;
    assert_eq!(status, 200, "{payload}");
    assert!(payload.to_string().contains("xxxx"), "{payload}");
    assert_eq!(client.post("/v1/events", &event("after")).await.0, 202);
    let is_it = |one: &railhead_harness::Received| one.headers["webhook-id"] == "after" && one.status == 204;
    assert!(sink.wait(std::time::Duration::from_secs(60), |all| all.iter().any(is_it)).await, "{}", host.log());
}
