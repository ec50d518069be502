//! The same host on Postgres: pending migrations refuse, `--migrate` starts, events arrive, a `kill -9` loses none.

// One way to start a PostgreSQL for all tests; the unused log reader belongs to the store's plan test.
#[allow(dead_code, clippy::print_stderr)]
#[path = "../../../host/store-postgres/tests/postgres/server.rs"]
mod server;

use railhead_harness::{Host, HostOptions, Sink};
use serde_json::json;
use std::process::Command;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_host_serves_from_postgres_and_a_kill_loses_nothing() {
    let Some(url) = server::database().await else { return };
    let (folder, sink) = (tempfile::tempdir().expect("a folder"), Sink::start().await);
    let binary = railhead_harness::host::binary();
    let key = Command::new(binary).args(["master-key", "new"]).output().expect("runs").stdout;
    let key_file = folder.path().join("key");
    std::fs::write(&key_file, key).expect("written");
    let env = vec![
        ("RAILHEAD_DATABASE_URL".to_owned(), url),
        ("RAILHEAD_MASTER_KEY_FILE".to_owned(), key_file.display().to_string()),
    ];
    let options = HostOptions { env: env.clone(), ..HostOptions::default() };

    let mut refused = Host::spawn(folder.path(), &options);
    assert_eq!(refused.wait(), Some(1));
    let migrated = Command::new(binary).arg("migrate").envs(env).output().expect("runs");
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));

    let mut host = Host::start(folder.path(), &options).await;
    let client = host.client();
    client.make_tenant("acme").await;
    let body = json!({"connector": "webhook", "config": {"url": sink.url("/hook")}});
    client.make_destination("acme", "hook", &body).await;
    let ids: Vec<String> = (0..200).map(|n| format!("e{n}")).collect();
    let batch: Vec<_> = ids.iter().map(|id| json!({"tenant": "acme", "type": "t", "id": id, "data": {}})).collect();
    let (status, body) = client.post("/v1/events", &json!(batch)).await;
    assert_eq!(status, 202, "{body}");
    host.kill();
    // The dead host's lease must run out before its shards move: seconds, not a person.
    let host = Host::start(folder.path(), &options).await;
    let all = sink.wait(Duration::from_secs(60), |received| {
        ids.iter().all(|id| received.iter().any(|one| one.headers.get("webhook-id") == Some(id)))
    });
    assert!(all.await, "{}", host.log());
}
