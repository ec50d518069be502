//! What the hosts have on record against what the receiver saw.

use crate::day::{Ledger, PATIENCE, Pair, Window, last_answer, pairs};
use crate::load::{Load, TENANTS};
use railhead_harness::Cluster;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Between questions.
const PAUSE: Duration = Duration::from_millis(200);

/// What is on record of a delivery.
pub struct Recorded {
    /// In the API.
    path: String,
    state: String,
    attempts: usize,
}

/// Waits until no delivery waits any more.
pub async fn nothing_waits(cluster: &Cluster) {
    for tenant in 0..TENANTS {
        let path = format!("/v1/tenants/v{tenant}/deliveries?state=pending,retrying&limit=200");
        let begin = Instant::now();
        loop {
            let waiting = list(cluster, &path).await;
            let Some(one) = waiting.first() else { break };
            assert!(
                begin.elapsed() < PATIENCE,
                "{} deliveries wait, such as {one}:\n{}",
                waiting.len(),
                cluster.logs()
            );
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Every delivery, once none waits any more.
pub async fn ends(cluster: &Cluster) -> BTreeMap<Pair, Recorded> {
    nothing_waits(cluster).await;
    let mut ends = BTreeMap::new();
    for tenant in 0..TENANTS {
        let path = format!("/v1/tenants/v{tenant}/deliveries");
        for row in list(cluster, &format!("{path}?limit=200")).await {
            let (pair, recorded) = recorded(&path, &row);
            assert!(ends.insert(pair, recorded).is_none(), "two records: {row}");
        }
    }
    ends
}

/// All rows. A host may still find connections that died in silence, or learn that it was fenced: another is asked.
async fn list(cluster: &Cluster, path: &str) -> Vec<Value> {
    let (mut rows, mut cursor, begin) = (Vec::new(), String::new(), Instant::now());
    loop {
        let (status, page) = cluster.any_client().get(&format!("{path}{cursor}")).await;
        if matches!(status, 0 | 503) && begin.elapsed() < PATIENCE {
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        assert_eq!(status, 200, "{path}: {page}");
        rows.extend(page["data"].as_array().cloned().unwrap_or_default());
        let Some(next) = page["next"].as_str() else { return rows };
        cursor = format!("&cursor={next}");
    }
}

fn recorded(list: &str, row: &Value) -> (Pair, Recorded) {
    let text = |name: &str| row[name].as_str().unwrap_or_else(|| panic!("no {name} in {row}")).to_owned();
    let destination = text("destination").trim_start_matches('d').parse().expect("d<number>");
    let attempts = row["attempts"].as_u64().and_then(|count| usize::try_from(count).ok()).expect("a count");
    (
        (destination, text("event_id")),
        Recorded { path: format!("{list}/{}", text("id")), state: text("state"), attempts },
    )
}

/// What a judged day came to, where nothing was wrong with it.
pub struct Verdict {
    /// Requests that repeated one which the receiver had taken: each is explained by something that went wrong.
    pub duplicates: usize,
}

pub async fn judge(
    cluster: &Cluster,
    load: &Load,
    ends: &BTreeMap<Pair, Recorded>,
    ledger: &Ledger,
    windows: &[Window],
) -> Verdict {
    let acknowledged = load.acknowledged();
    let mut repeated: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut deliveries, mut unrecorded) = (0, 0);
    for pair in acknowledged.iter().flat_map(|n| pairs(*n)) {
        let end = ends.get(&pair).unwrap_or_else(|| panic!("{pair:?} was acknowledged and is not on record"));
        let requests = ledger.requests.get(&pair).unwrap_or_else(|| panic!("{pair:?} never came: {}", end.state));
        deliveries += 1;
        unrecorded += requests.len().saturating_sub(end.attempts);
        let explained = judge_one(&pair, end, requests, windows);
        if !explained.is_empty() {
            let attempts = list(cluster, &format!("{}/attempts?limit=200", end.path)).await;
            let code = format!("http-{}", last_answer(pair.0));
            let last = attempts.iter().filter(|attempt| attempt["code"] == code.as_str()).count();
            assert_eq!(last, 1, "{pair:?} ended more than once by its attempts: {requests:?}, {attempts:?}");
        }
        for window in explained {
            *repeated.entry(window.what).or_default() += 1;
        }
    }
    assert_eq!(ends.len(), deliveries, "there are deliveries of events that nobody acknowledged");
    assert_eq!(load.odd(), BTreeMap::new(), "answers that a publisher can do nothing with");
    let duplicates: usize = repeated.values().sum();
    println!(
        "{} acknowledged events ({} sent again), {deliveries} deliveries: 0 lost, 0 ended twice, \
         {duplicates} duplicates {repeated:?}, {unrecorded} requests without a record",
        acknowledged.len(),
        load.again(),
    );
    Verdict { duplicates }
}

/// The windows that explain its duplicates, one each.
fn judge_one<'a>(pair: &Pair, end: &Recorded, requests: &[(Instant, u16)], windows: &'a [Window]) -> Vec<&'a Window> {
    let last = last_answer(pair.0);
    let state = if last == 204 { "delivered" } else { "dead" };
    assert_eq!(end.state, state, "{pair:?}: {requests:?}");
    let taken: Vec<Instant> = requests.iter().filter(|(_, status)| *status == last).map(|(at, _)| *at).collect();
    assert!(!taken.is_empty(), "{pair:?} is {state}, and the receiver never answered so: {requests:?}");
    let explain = |two: &[Instant]| {
        // The first before the fault was over, the second after it began.
        let between = windows.iter().find(|window| two[0] <= window.until && two[1] >= window.from);
        between
            .unwrap_or_else(|| panic!("{pair:?} came twice, and nothing went wrong between: {requests:?}, {windows:?}"))
    };
    taken.windows(2).map(explain).collect()
}

/// The longest time within a window in which a destination got nothing.
pub fn longest_silence(ledger: &Ledger, window: &Window) -> Duration {
    let mut by_destination: BTreeMap<usize, Vec<Instant>> = BTreeMap::new();
    for ((destination, _), requests) in &ledger.requests {
        let inside = requests.iter().map(|(at, _)| *at).filter(|at| (window.from..window.until).contains(at));
        by_destination.entry(*destination).or_insert_with(|| vec![window.from, window.until]).extend(inside);
    }
    let longest = |times: &mut Vec<Instant>| {
        times.sort_unstable();
        times.windows(2).map(|two| two[1] - two[0]).max().unwrap_or_default()
    };
    by_destination.values_mut().map(longest).max().unwrap_or_default()
}
