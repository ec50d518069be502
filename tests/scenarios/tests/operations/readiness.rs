//! What `/readyz` and `/healthz` say while a host starts, works, loses its database, and ends.

use crate::support::{LONG, connect, event, make_destination, run, until};
use railhead_harness::host::binary;
use railhead_harness::{Host, HostOptions, Postgres, Script, Sink};
use std::process::Command;

/// Held by a program that migrates (`host/store-postgres/src/migrate.rs`).
const MIGRATING: &str = "SELECT pg_advisory_lock(8241984707393577316)";

#[tokio::test(flavor = "multi_thread")]
async fn a_load_balancer_hears_how_the_host_is() {
    let Some(mut postgres) = Postgres::start(&[]).await else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let options = HostOptions::on_postgres(&postgres.url(), folder.path());

    // Somebody else migrates: it waits, alive and not ready.
    let mut other = connect(&postgres).await;
    run(&mut other, MIGRATING).await;
    let starting = HostOptions { arguments: vec!["--migrate".to_owned()], ..options };
    let mut host = Host::spawn(folder.path(), &starting);
    let client = host.client();
    let said = until(&client, "/readyz", |status, body| status == 503 && body["code"] == "migrating").await;
    assert_eq!(said["status"], "not-ready");
    assert_eq!(client.get("/healthz").await.0, 200);
    let (status, refused) = client.get("/v1/tenants").await;
    assert_eq!((status, refused["code"].as_str()), (503, Some("unavailable")), "{refused}");
    drop(other);
    host.wait_ready().await;

    // Without its database it is alive and not ready, and by itself ready again.
    postgres.stop();
    let lost = |body: &serde_json::Value| body["code"] == "store-unreachable" || body["code"] == "lease-expired";
    until(&client, "/readyz", |status, body| status == 503 && lost(body)).await;
    assert_eq!(client.get("/healthz").await.0, 200);
    assert!(!health(&host, &[]));
    assert!(health(&host, &["--live"]));
    postgres.resume().await;
    until(&client, "/readyz", |status, _| status == 200).await;
    assert!(health(&host, &[]));
    assert_eq!(host.exit(), None, "{}", host.log());
}

/// `railhead health`, as a container asks.
fn health(host: &Host, arguments: &[&str]) -> bool {
    let mut command = Command::new(binary());
    command.arg("health").args(arguments).env("RAILHEAD_LISTEN", host.address.to_string());
    command.output().expect("runs").status.success()
}

/// A draining host says so, takes nothing, and still answers what is asked of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_drains_is_alive_and_not_ready() {
    let (folder, sink) = (tempfile::tempdir().expect("a folder"), Sink::start().await);
    sink.script("/hook", Script::Hang);
    let mut host = Host::start(folder.path(), &HostOptions::default()).await;
    let client = host.client();
    client.make_tenant("acme").await;
    make_destination(&client, "hook", &sink.url("/hook")).await;
    assert_eq!(client.post("/v1/events", &event("acme", "e")).await.0, 202);
    assert!(sink.wait(LONG, |received| !received.is_empty()).await);
    host.signal("TERM");
    until(&client, "/readyz", |status, body| status == 503 && body["code"] == "draining").await;
    assert_eq!(client.get("/healthz").await.0, 200);
    let (status, refused) = client.post("/v1/events", &event("acme", "late")).await;
    assert_eq!((status, refused["code"].as_str()), (503, Some("unavailable")), "{refused}");
    assert_eq!(client.get("/v1/tenants/acme/events/e").await.0, 200);
    assert_eq!(host.wait(), Some(0), "{}", host.log());
    // What was cut counts for nothing, and is made again.
    sink.script("/hook", Script::Status(204));
    let host = Host::start(folder.path(), &HostOptions::default()).await;
    let attempt = host.client().first_attempt("acme", "hook").await;
    assert_eq!((&attempt["n"], &attempt["outcome"]), (&1.into(), &"delivered".into()), "{attempt}");
}
