//! A steady trickle: end to end from the publish call to the receiver, by one machine's clock; fsync beside it.

use crate::sink::{Sink, now_us};
use railhead_harness::{Host, HostOptions};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// Publishes `rate` events a second for so many seconds and reports.
pub async fn run(rate: u64, seconds: u64) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = Sink::start();
    let host = Host::start(folder.path(), &HostOptions::default()).await;
    let client = host.client();
    client.make_tenant("acme").await;
    let body = json!({"connector": "webhook", "config": {"url": format!("{}/d", sink.base)}});
    client.make_destination("acme", "d", &body).await;
    let http = reqwest::Client::new();
    let mut pace = tokio::time::interval(Duration::from_micros(1_000_000 / rate));
    let (mut sent, mut answers) = (BTreeMap::new(), tokio::task::JoinSet::new());
    let warm = rate as usize;
    for n in 0..rate * (seconds + 1) {
        pace.tick().await;
        let id = format!("e{n}");
        let event = json!({"tenant": "acme", "type": "t", "id": id, "data": crate::load::payload()});
        sent.insert(id, now_us());
        let client = client.clone();
        answers.spawn(async move {
            let start = Instant::now();
            (client.post("/v1/events", &event).await.0, start.elapsed().as_micros() as u64)
        });
    }
    let mut accepts = Vec::new();
    while let Some(answer) = answers.join_next().await {
        let (status, us) = answer.expect("a publish");
        assert_eq!(status, 202);
        accepts.push(us);
    }
    sink.wait(&http, sent.len()).await;
    let arrivals: BTreeMap<_, _> = sink.arrivals(&http).await.into_iter().collect();
    let mut ends: Vec<u64> = sent
        .iter()
        .filter(|(id, _)| id[1..].parse::<usize>().is_ok_and(|n| n >= warm))
        .map(|(id, at)| arrivals[id] - at)
        .collect();
    json!({
        "rate": rate, "events": ends.len(),
        "end_to_end_ms": percentiles(&mut ends),
        "publish_call_ms": percentiles(&mut accepts),
        "fsync_ms": percentiles(&mut fsyncs(folder.path())),
        "host_cpu_seconds": crate::cpu::seconds(host.pid()),
    })
}

/// 4 KB appended and synced, as often as it takes to know.
fn fsyncs(folder: &std::path::Path) -> Vec<u64> {
    let mut file = std::fs::File::create(folder.join("fsync")).expect("a file");
    (0..200)
        .map(|_| {
            file.write_all(&[7; 4_096]).expect("written");
            let start = Instant::now();
            file.sync_data().expect("synced");
            start.elapsed().as_micros() as u64
        })
        .collect()
}

fn percentiles(us: &mut [u64]) -> Value {
    us.sort_unstable();
    let at = |permille: usize| {
        us.get((us.len() * permille / 1_000).min(us.len().saturating_sub(1))).map_or(0.0, |us| *us as f64 / 1_000.0)
    };
    json!({"p50": at(500), "p99": at(990), "p999": at(999)})
}
