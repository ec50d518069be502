//! Dead neighbours: three tenants whose destinations answer after 10 s, refuse, or send a body that never ends, each
//! with thousands of events waiting, beside fifty tenants who are well. What these notice of it is measured in one run:
//! alone, beside, and alone again.

use crate::figures::{at, percentiles, round};
use crate::paced::{latencies, send};
use crate::process::Used;
use crate::sink::Sink;
use crate::stack::{Shape, Stack};
use crate::target::Publish;
use railhead_harness::Client;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

const HEALTHY: usize = 50;
/// Published at once by the dead tenants' vendor.
const BUNDLE: usize = 500;
/// Ids of dead tenants' events start here, so that they are nobody else's.
const DEAD_EVENTS: usize = 100_000_000;

/// How much.
#[derive(Clone, Copy, Debug)]
pub struct Neighbours {
    /// Events that wait at each dead destination.
    pub waiting: usize,
    /// Events a second of all healthy tenants together.
    pub rate: u64,
    /// Seconds beside the dead; alone, half of it before and half of it after.
    pub seconds: u64,
}

/// A stretch of the run, by tenant: sorted microseconds from publish to receiver.
type Stretch = BTreeMap<usize, Vec<u64>>;

/// Runs it and reports. `worst_ratio`: the worst healthy tenant's p99 beside the dead against the worst one's alone.
pub async fn run(size: Neighbours, shape: Shape) -> Value {
    let sink = Sink::start("127.0.0.1:0");
    let stack = Stack::start(shape).await;
    let client = stack.client();
    let dead = dead(&sink.base);
    for n in 0..HEALTHY {
        make(&client, &healthy(n), &format!("{}/h{n}", sink.base)).await;
    }
    for (tenant, url) in &dead {
        make(&client, tenant, url).await;
        command(&client, tenant, "pause").await;
        publish_backlog(&client, tenant, size.waiting).await;
    }
    let http = reqwest::Client::new();
    let run = Run { publish: stack.publish(), http: http.clone(), sink: &sink, rate: size.rate };
    let per_second = size.rate as usize;
    let (half, whole) = (per_second * size.seconds as usize / 2, per_second * size.seconds as usize);
    let warm = per_second * 3;
    run.stretch(0..warm).await;
    let before = run.stretch(warm..warm + half).await;
    for (tenant, _) in &dead {
        command(&client, tenant, "resume").await;
    }
    let used = || stack.processes().iter().map(|(_, pid)| Used::by(*pid).cpu).sum::<f64>();
    let start = used();
    let beside = run.stretch(warm + half..warm + half + whole).await;
    let used = used() - start;
    let counted = stack.counters(&http).await;
    // Dead neighbours that ran out of events in the middle of it would show nothing.
    let waiting = still_waiting(&client, &dead).await;
    for (tenant, _) in &dead {
        command(&client, tenant, "pause").await;
    }
    // Calls that still hang end at their deadline.
    tokio::time::sleep(Duration::from_secs(16)).await;
    let after = run.stretch(warm + half + whole..warm + 2 * half + whole).await;
    let mut report = report(&before, &beside, &after);
    report["waiting_at_each"] = json!(size.waiting);
    report["rate"] = json!(size.rate);
    report["seconds_beside"] = json!(size.seconds);
    report["still_waiting_after"] = json!(waiting);
    report["together_cpu_s_beside"] = json!(round(used, 2));
    report["attempts_at_all"] = json!(counted.get("railhead_attempts_total"));
    report
}

struct Run<'a> {
    publish: Publish,
    http: reqwest::Client,
    sink: &'a Sink,
    rate: u64,
}

impl Run<'_> {
    async fn stretch(&self, events: Range<usize>) -> Stretch {
        let wanted = self.sink.count(&self.http).await + events.len();
        let sent = send(&self.publish, &self.http, self.rate, events, |n| healthy(n % HEALTHY)).await;
        self.sink.wait(&self.http, wanted).await;
        let mut stretch = Stretch::new();
        for (n, us) in latencies(&sent, &self.sink.arrivals(&self.http).await) {
            stretch.entry(n % HEALTHY).or_default().push(us);
        }
        stretch.values_mut().for_each(|us| us.sort_unstable());
        stretch
    }
}

fn report(before: &Stretch, beside: &Stretch, after: &Stretch) -> Value {
    let mut alone = before.clone();
    for (tenant, us) in after {
        let all = alone.entry(*tenant).or_default();
        all.extend(us);
        all.sort_unstable();
    }
    let worst = |stretch: &Stretch| stretch.values().map(|us| at(us, 990)).fold(0.0, f64::max);
    let same = |tenant: &usize, us: &Vec<u64>| at(us, 990) / alone.get(tenant).map_or(1.0, |us| at(us, 990));
    let of_one = beside.iter().map(|(tenant, us)| same(tenant, us)).fold(0.0, f64::max);
    let pooled = |stretch: &Stretch| {
        let mut us: Vec<u64> = stretch.values().flatten().copied().collect();
        us.sort_unstable();
        at(&us, 990)
    };
    let all = |stretch: &Stretch| percentiles(&mut stretch.values().flatten().copied().collect::<Vec<_>>());
    json!({
        "healthy_tenants": HEALTHY,
        "alone_ms": all(&alone), "beside_ms": all(beside),
        "alone_before_ms": all(before), "alone_after_ms": all(after),
        "worst_p99_alone_ms": worst(&alone), "worst_p99_beside_ms": worst(beside),
        "worst_ratio": round(worst(beside) / worst(&alone), 2),
        // What two stretches without any neighbour differ by: the machine's own noise.
        "noise_ratio": round(worst(after) / worst(before), 2),
        // All healthy tenants together: what a machine that does other things too shows best.
        "p99_ratio": round(pooled(beside) / pooled(&alone), 2),
        // Of some hundred samples a tenant; the most unlucky of fifty.
        "worst_ratio_of_one_tenant": round(of_one, 2),
    })
}

fn healthy(n: usize) -> String {
    format!("healthy-{n}")
}

/// Tenants and their destinations' URLs.
fn dead(sink: &str) -> Vec<(String, String)> {
    // Bound and let go: nobody listens there.
    let refused = railhead_harness::host::free_port();
    let urls = [
        ("slow", format!("{sink}/slow")),
        ("refused", format!("http://{refused}/")),
        ("endless", format!("{sink}/endless")),
    ];
    urls.into_iter().map(|(name, url)| (format!("dead-{name}"), url)).collect()
}

async fn make(client: &Client, tenant: &str, url: &str) {
    client.make_tenant(tenant).await;
    client.make_destination(tenant, "d", &json!({"connector": "webhook", "config": {"url": url}})).await;
}

/// By destination, at most what the API counts.
async fn still_waiting(client: &Client, dead: &[(String, String)]) -> Value {
    let mut waiting = BTreeMap::new();
    for (tenant, _) in dead {
        let (_, destination) = client.get(&format!("/v1/tenants/{tenant}/destinations/d")).await;
        waiting.insert(tenant.clone(), destination["waiting"].clone());
    }
    json!(waiting)
}

async fn command(client: &Client, tenant: &str, verb: &str) {
    let (status, body) = client.post(&format!("/v1/tenants/{tenant}/destinations/d/{verb}"), &json!({})).await;
    assert_eq!(status, 200, "{body}");
}

async fn publish_backlog(client: &Client, tenant: &str, count: usize) {
    for first in (0..count).step_by(BUNDLE) {
        let one =
            |n| json!({"tenant": tenant, "type": "order.created", "data": crate::target::payload(DEAD_EVENTS + n)});
        let events: Vec<Value> = (first..count.min(first + BUNDLE)).map(one).collect();
        while client.post("/v1/events", &json!(events)).await.0 != 202 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
