//! A steady trickle: end to end from the publish call to the receiver, by one machine's clock; fsync beside it.

use crate::figures::{percentiles, round};
use crate::process::Used;
use crate::sink::{Sink, now_us};
use crate::stack::{Shape, Stack};
use crate::target::Publish;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::ops::Range;
use std::time::{Duration, Instant};

/// What was published, when, and how long each call took.
#[derive(Debug, Default)]
pub struct Published {
    /// By the event's number, microseconds since 1970.
    pub begun_us: BTreeMap<usize, u64>,
    pub calls_us: Vec<u64>,
}

/// Publishes `rate` events a second for so many seconds and reports.
pub async fn run(rate: u64, seconds: u64, shape: Shape) -> Value {
    let sink = Sink::start("127.0.0.1:0");
    let stack = Stack::start(shape).await;
    stack.make_destinations("acme", &sink.base, 1).await;
    let http = reqwest::Client::new();
    let publish = stack.publish();
    let warm = rate as usize;
    let acme = |_| "acme".to_owned();
    send(&publish, &http, rate, 0..warm, acme).await;
    let used = || stack.processes().iter().map(|(_, pid)| Used::by(*pid).cpu).sum::<f64>();
    let before = used();
    let events = rate as usize * seconds as usize;
    let mut sent = send(&publish, &http, rate, warm..warm + events, acme).await;
    sink.wait(&http, warm + events).await;
    let used = used() - before;
    let mut ends: Vec<u64> = latencies(&sent, &sink.arrivals(&http).await).into_iter().map(|(_, us)| us).collect();
    json!({
        "rate": rate, "events": ends.len(),
        "end_to_end_ms": percentiles(&mut ends),
        "publish_call_ms": percentiles(&mut sent.calls_us),
        "fsync_ms": percentiles(&mut fsyncs(stack.folder())),
        "together_cpu_s_per_1000_deliveries": round(used / events as f64 * 1_000.0, 3),
    })
}

/// Publishes these events at a rate, whatever the answers take, each to the tenant that `tenant` names.
pub async fn send(
    publish: &Publish,
    http: &reqwest::Client,
    rate: u64,
    events: Range<usize>,
    tenant: impl Fn(usize) -> String,
) -> Published {
    let mut pace = tokio::time::interval(Duration::from_micros(1_000_000 / rate));
    let (mut published, mut answers) = (Published::default(), tokio::task::JoinSet::new());
    for n in events {
        pace.tick().await;
        let (publish, http, tenant) = (publish.clone(), http.clone(), tenant(n));
        published.begun_us.insert(n, now_us());
        answers.spawn(async move {
            let start = Instant::now();
            (publish.send(&http, &tenant, n).await, start.elapsed().as_micros() as u64)
        });
    }
    while let Some(answer) = answers.join_next().await {
        let (status, us) = answer.expect("a publish");
        assert!((200..300).contains(&status), "a publish was answered with {status}");
        published.calls_us.push(us);
    }
    published
}

/// From the publish call to the receiver, by event, in microseconds.
pub fn latencies(published: &Published, arrivals: &[(usize, u64)]) -> Vec<(usize, u64)> {
    let latency = |(n, at): &(usize, u64)| Some((*n, at.saturating_sub(*published.begun_us.get(n)?)));
    arrivals.iter().filter_map(latency).collect()
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
