//! The same host on Postgres: pending migrations refuse, `--migrate` starts, events arrive, a `kill -9` loses none.

use railhead_harness::{Host, HostOptions, Postgres, Sink};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_host_serves_from_postgres_and_a_kill_loses_nothing() {
    let Some(postgres) = Postgres::start(&[]).await else { return };
    let (folder, sink) = (tempfile::tempdir().expect("a folder"), Sink::start().await);
    let options = HostOptions::on_postgres(&postgres.url(), folder.path());

    let mut refused = Host::spawn(folder.path(), &options);
    assert_eq!(refused.wait(), Some(1));
    options.migrate();

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
