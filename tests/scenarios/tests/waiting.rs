//! A great outage beside those that are well: deliveries that wait for hours cost the host little memory, hold up nobody,
//! and are left alone.

use railhead_harness::{Client, Host, HostOptions, Outage, Postgres, Sink};
use serde_json::{Value, json};
use std::time::Duration;

/// What waits. `railhead-bench backlog` has ten million.
const OUTAGE: Outage = Outage { deliveries: 200_000, destinations: 2_000 };
/// Events of the one who is well.
const EVENTS: usize = 2_000;
/// Published at once.
const BUNDLE: usize = 100;
/// Resident memory of a host, at its peak, in KiB.
const MOST_MEMORY: u64 = 512 * 1024;
/// What all that waits may add to it, in KiB: much less than a row of each in memory would.
const MOST_ADDED: u64 = 64 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_hours_costs_little_memory_and_holds_up_nobody() {
    // Nothing here is about power that goes; planting it takes a third of the time.
    let Some(postgres) = Postgres::start(&["fsync=off"]).await else { return };
    let (folder, sink) = (tempfile::tempdir().expect("a folder"), Sink::start().await);
    let options = HostOptions::on_postgres(&postgres.url(), folder.path());
    options.migrate();
    let mut host = Host::start(folder.path(), &options).await;
    let client = host.client();
    client.make_tenant("acme").await;
    let body = json!({"connector": "webhook", "config": {"url": sink.url("/hook")}});
    client.make_destination("acme", "hook", &body).await;
    OUTAGE.make_tenants(&client).await;
    deliver(&host, &sink, "before").await;
    let empty = peak(&host);
    assert_eq!(host.terminate(), Some(0), "{}", host.log());

    OUTAGE.plant(&postgres);
    let host = Host::start(folder.path(), &options).await;
    // All of them, the one that they are copies of, and the one that is well.
    has_loaded(&host, OUTAGE.destinations + 2).await;
    let (status, planted) = host.client().get(&an_ill_one(&host.client()).await).await;
    let each = OUTAGE.deliveries / OUTAGE.destinations;
    assert_eq!((status, &planted["waiting"]), (200, &json!(each)), "the host knows what waits: {planted}");
    deliver(&host, &sink, "beside").await;

    let full = peak(&host);
    assert!(full < MOST_MEMORY && full < empty + MOST_ADDED, "{full} KiB at the peak, {empty} without what waits");
    let untouched = "SELECT count(*) FROM work WHERE tries = 3";
    assert_eq!(postgres.ask(untouched), OUTAGE.deliveries.to_string(), "none is due for hours: {}", host.log());
}

/// Publishes, and waits until each event has arrived and is on record.
async fn deliver(host: &Host, sink: &Sink, name: &str) {
    let ids: Vec<String> = (0..EVENTS).map(|n| format!("{name}-{n}")).collect();
    for bundle in ids.chunks(BUNDLE) {
        let event = |id| json!({"tenant": "acme", "type": "t", "id": id, "data": {"text": "x".repeat(1_000)}});
        let events: Vec<Value> = bundle.iter().map(event).collect();
        let (status, body) = host.client().post("/v1/events", &json!(events)).await;
        assert_eq!(status, 202, "{body}");
    }
    let all = |received: &[railhead_harness::Received]| {
        let came: std::collections::BTreeSet<_> = received.iter().map(|one| &one.headers["webhook-id"]).collect();
        ids.iter().all(|id| came.contains(id))
    };
    assert!(sink.wait(Duration::from_secs(180), all).await, "{}", host.log());
    let path = "/v1/tenants/acme/deliveries?state=pending,retrying&limit=1";
    until(&host.client(), path, |page| page["data"].as_array().is_some_and(Vec::is_empty)).await;
}

/// Until its metrics say that it has so many destinations.
async fn has_loaded(host: &Host, destinations: usize) {
    let metrics = Client::new(host.metrics, "none");
    until(&metrics, "/metrics", |text| {
        let mut lines = text.as_str().unwrap_or_default().lines();
        let count = lines.find_map(|line| line.strip_prefix("railhead_destinations ")?.parse::<f64>().ok());
        count.is_some_and(|count| count >= destinations as f64)
    })
    .await;
}

/// The path of one of the destinations at which deliveries wait.
async fn an_ill_one(client: &Client) -> String {
    let (_, page) = client.get("/v1/tenants/out-0/destinations?limit=1").await;
    format!("/v1/tenants/out-0/destinations/{}", page["data"][0]["id"].as_str().expect("an id"))
}

async fn until(client: &Client, path: &str, wanted: impl Fn(&Value) -> bool) {
    let asked = async {
        while !wanted(&client.get(path).await.1) {
            tokio::time::sleep(Duration::from_millis(50)).await; // nothing tells when it changes
        }
    };
    tokio::time::timeout(Duration::from_secs(120), asked).await.unwrap_or_else(|_| panic!("{path} never changed"));
}

/// Resident memory at its peak, in KiB.
fn peak(host: &Host) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.pid())).expect("a process of ours");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
    line.split_whitespace().next().and_then(|text| text.parse().ok()).expect("a number")
}
