//! A great outage: millions of deliveries wait for their retry at a hundred thousand destinations. What that costs those
//! that are well is measured in one run, on one PostgreSQL: empty, and with all of it waiting.

use crate::figures::round;
use crate::load::{self, Load};
use crate::process::memory_mb;
use crate::sink::Sink;
use crate::stack::{Shape, Stack, Store};
use railhead_harness::Outage;
use serde_json::{Value, json};
use std::time::Instant;

/// How much.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    pub outage: Outage,
    /// The load that is measured.
    pub load: Load,
}

/// Runs it and reports. `rate_ratio`: delivered/s with all that waiting against the empty store.
pub async fn run(size: Waiting) -> Value {
    let sink = Sink::start("127.0.0.1:0");
    let mut stack = Stack::start(Shape { store: Store::Postgres, hosts: 1 }).await;
    stack.make_destinations("acme", &sink.base, size.load.destinations).await;
    size.outage.make_tenants(&stack.client()).await;
    let empty = load::on(&stack, size.load, &sink, 0).await;
    stack.end_hosts();

    let postgres = stack.postgres.as_ref().expect("a database");
    let start = Instant::now();
    size.outage.plant(postgres);
    let planted_s = start.elapsed().as_secs_f64();
    let start = Instant::now();
    stack.one_more().await;
    let ready_s = start.elapsed().as_secs_f64();
    stack.has_loaded(size.outage.destinations).await;
    let loaded_s = start.elapsed().as_secs_f64();
    let pid = stack.hosts.first().map_or(0, railhead_harness::Host::pid);
    let rss_before = memory_mb(pid).0;
    let full = load::on(&stack, size.load, &sink, size.load.events * 2).await;
    let (rss, peak) = memory_mb(pid);
    let postgres = stack.postgres.as_ref().expect("a database");
    let rate = |report: &Value| report["delivered_per_s"].as_f64().unwrap_or(f64::NAN);
    json!({
        "waiting": postgres.ask("SELECT count(*) FROM work").parse::<u64>().ok(),
        "destinations": postgres.ask("SELECT count(*) FROM destination").parse::<u64>().ok(),
        "database_bytes": postgres.ask("SELECT pg_database_size(current_database())").parse::<u64>().ok(),
        "planted_s": round(planted_s, 1), "ready_s": round(ready_s, 1), "loaded_s": round(loaded_s, 1),
        "empty": empty, "full": full,
        "rate_ratio": round(rate(&full) / rate(&empty), 3),
        "host_rss_mb": {"loaded": rss_before.round(), "after": rss.round(), "peak": peak.round()},
    })
}
