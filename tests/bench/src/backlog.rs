//! A great outage: millions of deliveries wait for their retry at a hundred thousand destinations. What that costs those
//! that are well is measured in one run, on one PostgreSQL: empty, and with all of it waiting.
//!
//! What waits is written by SQL, as the host would have written it, with retries due in hours: nobody can publish ten
//! million events and wait for their failures in a benchmark.

use crate::figures::round;
use crate::load::{self, Load};
use crate::process::memory_mb;
use crate::sink::Sink;
use crate::stack::{Shape, Stack, Store};
use railhead_harness::Postgres;
use railhead_model::DestinationNo;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Instant;

/// Deliveries of one event that wait.
const EACH: usize = 10;
/// Rows written by one statement.
const STEP: usize = 500_000;

/// How much.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// Deliveries that wait.
    pub deliveries: usize,
    /// At so many destinations.
    pub destinations: usize,
    /// The load that is measured.
    pub load: Load,
}

/// Runs it and reports. `rate_ratio`: delivered/s with all that waiting against the empty store.
pub async fn run(size: Waiting) -> Value {
    let sink = Sink::start("127.0.0.1:0");
    let mut stack = Stack::start(Shape { store: Store::Postgres, hosts: 1 }).await;
    stack.make_destinations("acme", &sink.base, size.load.destinations).await;
    // Nobody listens there; nothing of it is due while this runs.
    stack.make_destinations("out", "http://127.0.0.1:1", 1).await;
    let empty = load::on(&stack, size.load, &sink, 0).await;
    stack.hosts.clear();

    let postgres = stack.postgres.as_ref().expect("a database");
    let start = Instant::now();
    plant_destinations(postgres, size.destinations);
    plant_deliveries(postgres, size);
    let planted_s = start.elapsed().as_secs_f64();
    let start = Instant::now();
    stack.one_more().await;
    let ready_s = start.elapsed().as_secs_f64();
    loaded(&stack, size.destinations).await;
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

/// Waits until the host has taken all of them in.
async fn loaded(stack: &Stack, destinations: usize) {
    let http = reqwest::Client::new();
    while stack.counters(&http).await.get("railhead_destinations").is_none_or(|count| *count < destinations as f64) {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// Copies of the first destination of tenant `out`.
fn plant_destinations(postgres: &Postgres, count: usize) {
    let first: i64 = postgres.ask("SELECT nextval('destination_no')").parse().expect("a number");
    let last = first + i64::try_from(count).expect("a count");
    for begin in (first..last).step_by(STEP / 50) {
        let mut rows = String::new();
        for no in begin..last.min(begin + (STEP / 50) as i64) {
            let comma = if rows.is_empty() { "" } else { "," };
            write!(rows, "{comma}({no},{})", DestinationNo(no).shard().0).expect("a string");
        }
        // No columns are named that are copied as they are: the table may gain some.
        let sql = format!(
            "INSERT INTO destination SELECT (jsonb_populate_record(d, jsonb_build_object(
                 'no', n.no, 'id', 'out-' || n.no, 'shard', n.shard))).*
             FROM (VALUES {rows}) n (no, shard)
             CROSS JOIN (SELECT d.* FROM destination d JOIN tenant t ON t.no = d.tenant AND t.id = 'out' LIMIT 1) d"
        );
        postgres.ask_file(&sql);
    }
    postgres.ask_file(&format!("SELECT setval('destination_no', {last})"));
}

/// Events of today, and their unfinished deliveries: each failed three times, the next retry is due in six to twelve hours.
fn plant_deliveries(postgres: &Postgres, size: Waiting) {
    let events = size.deliveries / EACH;
    let sql = |ask: &str| postgres.ask(ask);
    let tenant = sql("SELECT no FROM tenant WHERE id = 'out'");
    let now_ms: i64 = sql("SELECT (extract(epoch FROM now()) * 1000)::bigint").parse().expect("a number");
    let first = sql("SELECT min(no) FROM destination WHERE id LIKE 'out-%'");
    // Milliseconds, then what is random in a real one: the event's number.
    let uid = |n: &str| {
        format!("(lpad(to_hex({now_ms} - 60000 + {n} % 50000), 12, '0') || '7' || lpad(to_hex({n}), 19, '0'))::uuid")
    };
    for begin in (0..events).step_by(STEP / EACH) {
        let end = events.min(begin + STEP / EACH) - 1;
        let (n, destinations) = (uid("n"), size.destinations);
        postgres.ask_file(&format!(
            "SET synchronous_commit = off;
             INSERT INTO event (uid, tenant, digest, id, type, at, route, origin, head, payload, payload_bytes)
             SELECT {n}, {tenant}, md5(n::text)::uuid, 'out-' || n, 'order.created', {now_ms}, ''::bytea, 0,
                    decode(repeat('00', 64), 'hex'), decode(repeat(md5(n::text), 64), 'hex'), 1024
             FROM generate_series({begin}, {end}) n;
             INSERT INTO work (event, destination, run, tenant, due, attempts, tries, since, rev, origin, made_at)
             SELECT {n}, {first} + (n::bigint * {EACH} + k) % {destinations}, 0, {tenant},
                    {now_ms} + 21600000 + (n::bigint * 7919) % 21600000, 3, 3, {now_ms}, 3, 0, {now_ms}
             FROM generate_series({begin}, {end}) n, generate_series(0, {EACH} - 1) k;"
        ));
    }
    // As autovacuum would have had the time to.
    postgres.ask_file("VACUUM (ANALYZE) event");
    postgres.ask_file("VACUUM (ANALYZE) work");
    postgres.ask_file("VACUUM (ANALYZE) destination");
    postgres.ask_file("CHECKPOINT");
}
