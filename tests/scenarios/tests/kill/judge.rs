//! What the host has on record against what the receiver saw.

use crate::plan::{Manner, TENANTS, destinations_of, tenant};
use crate::sink::{Request, Sink};
use railhead_harness::Client;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A delivery, by its destination's number and its event's id.
type Pair = (usize, String);

/// What the host has on record of a delivery.
pub struct Recorded {
    state: String,
    attempts: usize,
}

/// Every delivery, once none of them waits any more.
pub async fn ends(client: &Client) -> BTreeMap<Pair, Recorded> {
    let mut ends = BTreeMap::new();
    for n in 0..TENANTS {
        let rows = ends_of(client, &tenant(n)).await;
        for (pair, recorded) in rows.iter().map(recorded) {
            assert!(ends.insert(pair, recorded).is_none(), "a delivery has two records");
        }
    }
    ends
}

async fn ends_of(client: &Client, tenant: &str) -> Vec<Value> {
    let path = format!("/v1/tenants/{tenant}/deliveries");
    for _ in 0..240 {
        if client.list(&format!("{path}?state=pending,retrying")).await.is_empty() {
            return client.list(&path).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("deliveries of {tenant} still wait, two minutes after the receiver took the last one");
}

fn recorded(row: &Value) -> (Pair, Recorded) {
    let text = |name: &str| row[name].as_str().unwrap_or_else(|| panic!("no {name} in {row}")).to_owned();
    let destination = text("destination").trim_start_matches('d').parse().expect("d<number>");
    let attempts = row["attempts"].as_u64().expect("a count");
    let recorded = Recorded { state: text("state"), attempts: usize::try_from(attempts).expect("a count") };
    ((destination, text("event_id")), recorded)
}

/// `open`: requests that were open at each kill.
pub fn judge(acknowledged: &BTreeSet<usize>, ends: &BTreeMap<Pair, Recorded>, sink: &Sink, open: &[usize]) {
    let mut seen: BTreeMap<Pair, Vec<Request>> = BTreeMap::new();
    for request in sink.requests() {
        seen.entry((request.destination, request.id.clone())).or_default().push(request);
    }
    let (mut deliveries, mut unrecorded, mut duplicates) = (0, 0, 0);
    for n in acknowledged {
        for destination in destinations_of(*n) {
            let pair = (destination.0, format!("e{n}"));
            let end = ends.get(&pair).unwrap_or_else(|| panic!("{pair:?} is missing"));
            let requests = seen.get(&pair).unwrap_or_else(|| panic!("{pair:?} never came, and is {}", end.state));
            let (lost, twice) = judge_one(&pair, destination.manner(), end, requests);
            deliveries += 1;
            unrecorded += lost;
            duplicates += twice;
        }
    }
    assert_eq!(ends.len(), deliveries, "there are deliveries of events that nobody acknowledged");
    let open: usize = open.iter().sum();
    assert!(unrecorded >= open, "{open} requests were open at kills, and only {unrecorded} are not on record");
    assert!(duplicates <= unrecorded, "{duplicates} duplicates, {unrecorded} were in flight");
    println!(
        "{} acknowledged events, {deliveries} deliveries, {} requests: 0 missing, {duplicates} duplicates, \
         {unrecorded} in flight at kills ({open} of them not answered)",
        acknowledged.len(),
        seen.values().map(Vec::len).sum::<usize>(),
    );
}

/// How many requests were in flight at a kill (begun, and no attempt on record), and how many deliveries are duplicates.
fn judge_one(pair: &Pair, manner: Manner, end: &Recorded, requests: &[Request]) -> (usize, usize) {
    let (state, answer) = if manner == Manner::Refuses { ("dead", 422) } else { ("delivered", 204) };
    assert_eq!(end.state, state, "{pair:?}: {requests:?}");
    let last: Vec<usize> = requests.iter().filter(|one| one.status == Some(answer)).map(|one| one.epoch).collect();
    assert!(!last.is_empty(), "{pair:?} is {state}, and the receiver never answered so: {requests:?}");
    // A kill stands between any two: nothing is sent twice that one host has had the answer of.
    assert!(last.windows(2).all(|two| two[0] < two[1]), "{pair:?} came twice with no kill between: {requests:?}");
    let epochs: BTreeSet<usize> = requests.iter().map(|one| one.epoch).collect();
    if manner == Manner::Down {
        // It may have been asked by a host that gave up before the request was read.
        return (0, last.len() - 1);
    }
    assert!(
        (1..=requests.len()).contains(&end.attempts),
        "{pair:?}: {} attempts on record: {requests:?}",
        end.attempts
    );
    let lost = requests.len() - end.attempts;
    // One host has at most one attempt of a delivery in flight, so a kill loses at most one; the end's was not lost.
    assert!(lost < epochs.len(), "{pair:?}: {lost} attempts lost: {requests:?}");
    assert!(last.len() - 1 <= lost, "{pair:?} came twice, and both are on record: {requests:?}");
    (lost, last.len() - 1)
}
