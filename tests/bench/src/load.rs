//! A closed loop: so many publishers, each with one event at a time, 1 KB payloads, SQLite.

use crate::{cpu, sink::Sink};
use railhead_harness::{Host, HostOptions};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// A payload of about a kilobyte.
#[must_use]
pub fn payload() -> Value {
    json!({"order": "order-70001", "customer": {"id": "cus_8841", "name": "Ana Ruiz"}, "note": "x".repeat(900)})
}

/// Runs a load and reports.
pub async fn run(destinations: usize, events: usize, publishers: usize) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = Sink::start();
    let host = Host::start(folder.path(), &HostOptions::default()).await;
    let client = host.client();
    client.make_tenant("acme").await;
    for n in 0..destinations {
        let body = json!({"connector": "webhook", "config": {"url": format!("{}/d{n}", sink.base)}});
        client.make_destination("acme", &format!("d{n}"), &body).await;
    }
    let http = reqwest::Client::new();
    warm_up(&client, &sink, &http, destinations).await;

    let before = (cpu::seconds(host.pid()), cpu::seconds(sink.pid()), cpu::bytes_written(host.pid()));
    let start = Instant::now();
    let (next, wanted) = (Arc::new(AtomicUsize::new(0)), sink.count(&http).await + events * destinations);
    let loops: Vec<_> = (0..publishers)
        .map(|_| {
            let (client, next) = (client.clone(), Arc::clone(&next));
            tokio::spawn(async move {
                while next.fetch_add(1, Ordering::Relaxed) < events {
                    let event = json!({"tenant": "acme", "type": "order.created", "data": payload()});
                    while client.post("/v1/events", &event).await.0 != 202 {}
                }
            })
        })
        .collect();
    for one in loops {
        one.await.expect("a publisher");
    }
    let accepted = start.elapsed().as_secs_f64();
    sink.wait(&http, wanted).await;
    let delivered = start.elapsed().as_secs_f64();
    // What was sent last is recorded a moment later.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let deliveries = (events * destinations) as f64;
    let per_1000 = |seconds: f64| (seconds / deliveries * 1_000_000.0).round() / 1_000.0;
    json!({
        "destinations": destinations, "events": events, "publishers": publishers,
        "accepted_per_s": (events as f64 / accepted).round(),
        "delivered_per_s": (deliveries / delivered).round(),
        "host_cpu_s_per_1000": per_1000(cpu::seconds(host.pid()) - before.0),
        "sink_cpu_s_per_1000": per_1000(cpu::seconds(sink.pid()) - before.1),
        "disk_bytes_per_delivery": ((cpu::bytes_written(host.pid()) - before.2) / deliveries).round(),
        "host_rss_mb": cpu::rss_mb(host.pid()).round(),
    })
}

async fn warm_up(client: &railhead_harness::Client, sink: &Sink, http: &reqwest::Client, destinations: usize) {
    let before = sink.count(http).await;
    for _ in 0..200 {
        let event = json!({"tenant": "acme", "type": "warm.up", "data": payload()});
        client.post("/v1/events", &event).await;
    }
    sink.wait(http, before + 200 * destinations).await;
}
