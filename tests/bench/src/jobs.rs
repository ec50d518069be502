//! Jobs at scale, on PostgreSQL: a replay of very many dead letters, and events that go to thousands of destinations each.
//! Both end when the receiver has everything and nothing waits any more.

use crate::figures::{percentiles, round};
use crate::process::{Used, memory_mb};
use crate::sink::{Sink, now_us};
use crate::stack::{Shape, Stack, Store};
use crate::target::payload;
use railhead_harness::{Client, Host, Postgres, planted};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Destinations at which each event of the replay died.
const EACH: usize = 20;
/// Published at once.
const BUNDLE: usize = 500;
/// Events that are fanned out, one after the other.
const FANNED_OUT: usize = 5;

/// Replays so many dead letters, and reports. Their events are published; their ends are written by SQL.
pub async fn replay(deliveries: usize) -> Value {
    let (stack, sink) = start().await;
    let client = stack.client();
    client.make_tenant("acme").await;
    // While there is no destination: nothing of it is delivered.
    publish(&client, deliveries / EACH).await;
    for n in 0..EACH {
        let body = json!({"connector": "webhook", "config": {"url": format!("{}/d{n}", sink.base)}});
        client.make_destination("acme", &format!("d{n}"), &body).await;
    }
    let planted = Instant::now();
    planted::dead_letters(database(&stack), "acme");
    let planted_s = planted.elapsed().as_secs_f64();

    let cost = Cost::begin(&stack).await;
    let (status, job) = client.post("/v1/tenants/acme/replays", &json!({"filter": {"state": ["dead"]}})).await;
    assert_eq!(status, 201, "{job}");
    let wanted = deliveries / EACH * EACH;
    let all = all_arrive(&sink, wanted).await;
    nothing_waits(&stack).await;
    let mut report = cost.report(&stack, wanted).await;
    let path = format!("/v1/tenants/acme/replays/{}", job["id"].as_str().expect("an id"));
    let (_, job) = client.get(&path).await;
    let delivered = "SELECT count(*) FROM delivery WHERE run = 1 AND state = 0";
    report["planted_s"] = json!(round(planted_s, 1));
    report["delivered_per_s"] = json!((wanted as f64 / all).round());
    report["job"] = job["state"].clone();
    report["made"] = job["progress"]["created"].clone();
    report["on_record"] = json!(database(&stack).ask(delivered).parse::<u64>().ok());
    report
}

/// Sends events to so many destinations each, and reports.
pub async fn fan_out(destinations: usize) -> Value {
    let (mut stack, sink) = start().await;
    let client = stack.client();
    client.make_tenant("acme").await;
    // Its copies have no secret of their own to sign with.
    let body = json!({"connector": "webhook", "config": {"url": format!("{}/d", sink.base), "signatures": []}});
    client.make_destination("acme", "first", &body).await;
    stack.end_hosts();
    let _ = planted::copies_of_the_first(database(&stack), "acme", destinations - 1);
    stack.one_more().await;
    let client = stack.client();
    stack.has_loaded(destinations).await;

    let http = reqwest::Client::new();
    publish_one(&client, 0).await; // loads what is cached
    sink.wait(&http, destinations).await;
    nothing_waits(&stack).await;
    let cost = Cost::begin(&stack).await;
    let (mut begun, mut publish_us) = (BTreeMap::new(), Vec::new());
    for n in 1..=FANNED_OUT {
        begun.insert(n, now_us());
        let call = Instant::now();
        publish_one(&client, n).await;
        publish_us.push(call.elapsed().as_micros() as u64);
        sink.wait(&http, destinations * (n + 1)).await;
    }
    nothing_waits(&stack).await;
    let mut report = cost.report(&stack, destinations * FANNED_OUT).await;
    let arrivals = sink.arrivals(&http).await;
    let mut after: Vec<u64> = arrivals.iter().filter_map(|(n, at)| Some(at.saturating_sub(*begun.get(n)?))).collect();
    report["destinations"] = json!(destinations);
    report["events"] = json!(FANNED_OUT);
    report["publish_call_ms"] = percentiles(&mut publish_us);
    report["end_to_end_ms"] = percentiles(&mut after);
    report["last_arrival_ms"] = json!(after.last().map(|us| *us as f64 / 1_000.0));
    report
}

async fn start() -> (Stack, Sink) {
    (Stack::start(Shape { store: Store::Postgres, hosts: 1 }).await, Sink::start("127.0.0.1:0"))
}

fn database(stack: &Stack) -> &Postgres {
    stack.postgres.as_ref().expect("a database")
}

async fn publish(client: &Client, events: usize) {
    for first in (0..events).step_by(BUNDLE) {
        let one = |n| json!({"tenant": "acme", "type": "order.created", "id": format!("e{n}"), "data": payload(n)});
        let bundle: Vec<Value> = (first..events.min(first + BUNDLE)).map(one).collect();
        while client.post("/v1/events", &json!(bundle)).await.0 != 202 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn publish_one(client: &Client, n: usize) {
    let event = json!({"tenant": "acme", "type": "order.created", "id": format!("e{n}"), "data": payload(n)});
    let (status, body) = client.post("/v1/events", &event).await;
    assert_eq!(status, 202, "{body}");
}

/// Seconds until so many came.
async fn all_arrive(sink: &Sink, wanted: usize) -> f64 {
    let start = Instant::now();
    sink.wait(&reqwest::Client::new(), wanted).await;
    start.elapsed().as_secs_f64()
}

/// What was sent last is recorded a moment later.
async fn nothing_waits(stack: &Stack) {
    let waits = "SELECT (SELECT count(*) FROM work) + (SELECT count(*) FROM fanout)
        + (SELECT count(*) FROM job WHERE state = 0)";
    while database(stack).ask(waits) != "0" {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What the stack has used so far.
struct Cost {
    start: Instant,
    used: Vec<Used>,
    counted: BTreeMap<String, f64>,
}

impl Cost {
    async fn begin(stack: &Stack) -> Self {
        let used = stack.processes().iter().map(|(_, pid)| Used::by(*pid)).collect();
        let counted = stack.counters(&reqwest::Client::new()).await;
        Self { start: Instant::now(), used, counted }
    }

    async fn report(self, stack: &Stack, deliveries: usize) -> Value {
        let seconds = self.start.elapsed().as_secs_f64();
        let after = stack.counters(&reqwest::Client::new()).await;
        let counted = |name: &str| after.get(name).unwrap_or(&0.0) - self.counted.get(name).unwrap_or(&0.0);
        let thousands = deliveries as f64 / 1_000.0;
        let (memory, peak) = memory_mb(stack.hosts.first().map_or(0, Host::pid));
        let mut report = json!({
            "deliveries": deliveries,
            "seconds": round(seconds, 1),
            "deliveries_per_s": (deliveries as f64 / seconds).round(),
            "wal_bytes_per_delivery": (counted("postgres_wal_bytes") / deliveries as f64).round(),
            "commits_per_1000_deliveries": round(counted("postgres_commits") / thousands, 1),
            "host_rss_mb": memory.round(), "host_peak_rss_mb": peak.round(),
        });
        let mut together = 0.0;
        for ((name, pid), before) in stack.processes().into_iter().zip(self.used) {
            let cpu = Used::by(pid).since(before).cpu / thousands;
            together += cpu;
            report[format!("{name}_cpu_s_per_1000")] = json!(round(cpu, 3));
        }
        report["together_cpu_s_per_1000"] = json!(round(together, 3));
        report
    }
}
