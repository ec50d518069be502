//! A closed loop: so many publishers, each with one event at a time, 1 KB payloads.

use crate::figures::{percentiles, round};
use crate::process::{Used, memory_mb};
use crate::sink::{Sink, now_us};
use crate::stack::{Shape, Stack};
use crate::target::Publish;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How much.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Deliveries that come of each event.
    pub destinations: usize,
    pub events: usize,
    pub publishers: usize,
}

/// Events before the measured ones.
const WARM_UP: usize = 200;

/// Runs a load on hosts of our own, and reports.
pub async fn run(load: Load, shape: Shape) -> Value {
    let sink = Sink::start("127.0.0.1:0");
    let stack = Stack::start(shape).await;
    stack.make_destinations("acme", &sink.base, load.destinations).await;
    on(&stack, load, &sink, 0).await
}

/// Runs a load on what is there, with events from this number on, and reports.
pub async fn on(stack: &Stack, load: Load, sink: &Sink, first: usize) -> Value {
    let http = reqwest::Client::new();
    let (publish, warm) = (stack.publish(), first..first + WARM_UP);
    drive(&publish, "acme", load, warm.clone(), sink, &http).await;
    let before = stack.counters(&http).await;
    let mut report = measure(&publish, load, warm.end, sink, &http, &stack.processes()).await;
    let after = stack.counters(&http).await;
    let counted = |name: &str| after.get(name).unwrap_or(&0.0) - before.get(name).unwrap_or(&0.0);
    report["commits_per_event"] = json!(round(counted("railhead_store_commits_total") / load.events as f64, 3));
    if stack.postgres.is_some() {
        let deliveries = (load.events * load.destinations) as f64;
        report["commits_per_event"] = json!(round(counted("postgres_commits") / load.events as f64, 3));
        let all = counted("postgres_transactions") / load.events as f64;
        report["transactions_per_event"] = json!(round(all, 3));
        report["wal_bytes_per_delivery"] = json!((counted("postgres_wal_bytes") / deliveries).round());
    }
    report
}

/// Runs the same load on any other server, whose destinations were made beforehand; `processes` are its own.
pub async fn against(publish: &Publish, load: Load, sink: &Sink, processes: &[(String, u32)]) -> Value {
    let http = reqwest::Client::new();
    drive(publish, "acme", load, 0..WARM_UP, sink, &http).await;
    measure(publish, load, WARM_UP, sink, &http, processes).await
}

async fn measure(
    publish: &Publish,
    load: Load,
    first: usize,
    sink: &Sink,
    http: &reqwest::Client,
    processes: &[(String, u32)],
) -> Value {
    let mut all = processes.to_vec();
    all.extend([("sink".to_owned(), sink.pid()), ("generator".to_owned(), 0)]);
    // This program's children are counted by themselves.
    let own = |pid: u32| if pid == 0 { Used::alone(std::process::id()) } else { Used::by(pid) };
    let before: Vec<Used> = all.iter().map(|(_, pid)| own(*pid)).collect();
    let driven = drive(publish, "acme", load, first..first + load.events, sink, http).await;
    // What was sent last is recorded a moment later.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let after: Vec<Used> = all.iter().map(|(_, pid)| own(*pid)).collect();
    let mut report = driven.report(load);
    let mut together = 0.0;
    for (((name, pid), before), after) in all.iter().zip(before).zip(after) {
        let used = after.since(before);
        let deliveries = (load.events * load.destinations) as f64;
        if processes.iter().any(|(_, measured)| measured == pid) {
            together += used.cpu / deliveries * 1_000.0;
        }
        let memory = memory_mb(if *pid == 0 { std::process::id() } else { *pid });
        report[name] = json!({
            "cpu_s_per_1000_deliveries": round(used.cpu / deliveries * 1_000.0, 3),
            "bytes_written_per_event": (used.written / load.events as f64).round(),
            "rss_mb": memory.0.round(), "peak_rss_mb": memory.1.round(),
        });
    }
    // What a vendor pays for: hosts and database, without receiver and load generator.
    report["together_cpu_s_per_1000_deliveries"] = json!(round(together, 3));
    report
}

struct Driven {
    accepted_s: f64,
    delivered_s: f64,
    publish_us: Vec<u64>,
    end_to_end_us: Vec<u64>,
}

impl Driven {
    fn report(mut self, load: Load) -> Value {
        let deliveries = (load.events * load.destinations) as f64;
        json!({
            "destinations": load.destinations, "events": load.events, "publishers": load.publishers,
            "accepted_per_s": (load.events as f64 / self.accepted_s).round(),
            "delivered_per_s": (deliveries / self.delivered_s).round(),
            "publish_call_ms": percentiles(&mut self.publish_us),
            "end_to_end_ms": percentiles(&mut self.end_to_end_us),
        })
    }
}

/// Publishes these events and waits until all of their deliveries came.
async fn drive(
    publish: &Publish,
    tenant: &str,
    load: Load,
    events: std::ops::Range<usize>,
    sink: &Sink,
    http: &reqwest::Client,
) -> Driven {
    let start = Instant::now();
    let wanted = sink.count(http).await + events.len() * load.destinations;
    let (next, end) = (Arc::new(AtomicUsize::new(events.start)), events.end);
    let loops: Vec<_> = (0..load.publishers)
        .map(|_| {
            let (publish, tenant, http, next) = (publish.clone(), tenant.to_owned(), http.clone(), Arc::clone(&next));
            tokio::spawn(async move {
                let mut sent = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= end {
                        return sent;
                    }
                    let (began, begun_us) = (Instant::now(), now_us());
                    while !(200..300).contains(&publish.send(&http, &tenant, n).await) {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    sent.push((n, begun_us, began.elapsed().as_micros() as u64));
                }
            })
        })
        .collect();
    let mut sent = Vec::new();
    for one in loops {
        sent.extend(one.await.expect("a publisher"));
    }
    let accepted_s = start.elapsed().as_secs_f64();
    sink.wait(http, wanted).await;
    let delivered_s = start.elapsed().as_secs_f64();
    let begun: BTreeMap<usize, u64> = sent.iter().map(|(n, begun_us, _)| (*n, *begun_us)).collect();
    let arrivals = sink.arrivals(http).await;
    let end_to_end_us = arrivals.iter().filter_map(|(n, at)| Some(at.saturating_sub(*begun.get(n)?))).collect();
    Driven { accepted_s, delivered_s, publish_us: sent.iter().map(|(_, _, us)| *us).collect(), end_to_end_us }
}
