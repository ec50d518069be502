//! `kill -9` of the real binary under load: the receiver's own ledger is the judge.

#![allow(clippy::print_stdout)] // what was measured is worth reading

use railhead_harness::{Client, Host, HostOptions, Script, Sink};
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// `.ci/full` asks for more.
fn kills() -> usize {
    std::env::var("RAILHEAD_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(10)
}

const CONCURRENCY: usize = 16;
const DESTINATIONS: [(&str, Script); 4] = [
    ("plain", Script::Status(204)),
    ("slow", Script::Slow(Duration::from_millis(30), 200)),
    ("flaky", Script::FirstFails(503, 10)),
    ("dead", Script::Status(422)),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_event_ends_as_the_ledger_says() {
    let seed = 0x5eed;
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let sink = Sink::start().await;
    for (name, script) in DESTINATIONS {
        sink.script(&format!("/{name}"), script);
    }
    let mut host = Host::start(folder.path(), &HostOptions::default()).await;
    make(&host.client(), &sink).await;

    let acknowledged: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let mut received_at_kills = Vec::new();
    for round in 0..kills() {
        let stop = Arc::new(AtomicBool::new(false));
        let publishers: Vec<_> = (0..8)
            .map(|publisher| {
                let (client, stop, acknowledged) = (host.client(), Arc::clone(&stop), Arc::clone(&acknowledged));
                tokio::spawn(async move { publish(client, round, publisher, &stop, &acknowledged).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(random.random_range(300..900))).await;
        host.kill();
        received_at_kills.push(sink.count());
        stop.store(true, Ordering::Relaxed);
        for publisher in publishers {
            publisher.await.expect("a publisher");
        }
        host = Host::start(folder.path(), &HostOptions::default()).await;
    }

    let acknowledged = acknowledged.lock().expect("unpoisoned").clone();
    assert!(acknowledged.len() > 50 * kills(), "only {} events were acknowledged: no load", acknowledged.len());
    let ends = wait_for_ends(&host.client()).await;
    judge(&acknowledged, &ends, &sink, &received_at_kills);
}

async fn make(client: &Client, sink: &Sink) {
    client.make_tenant("acme").await;
    for (name, _) in DESTINATIONS {
        let body = json!({
            "connector": "webhook",
            "config": {"url": sink.url(&format!("/{name}"))},
            "retry": {"schedule_ms": [1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000]},
            "concurrency": CONCURRENCY,
        });
        client.make_destination("acme", name, &body).await;
    }
}

/// Publishes one event after the other until the host is gone; notes what was acknowledged.
async fn publish(
    client: Client,
    round: usize,
    publisher: usize,
    stop: &AtomicBool,
    acknowledged: &Mutex<BTreeSet<String>>,
) {
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let id = format!("e-{round}-{publisher}-{n}");
        let event =
            json!({"tenant": "acme", "type": "order.created", "id": id, "data": {"n": n, "pad": "x".repeat(200)}});
        let (status, body) = client.post("/v1/events", &event).await;
        match status {
            202 => {
                assert_eq!(body["deliveries"], DESTINATIONS.len(), "{body}");
                acknowledged.lock().expect("unpoisoned").insert(id);
            }
            0 => return,
            429 | 503 => {}
            other => panic!("{other}: {body}"),
        }
    }
}

/// The recorded end of every (destination, event id).
async fn wait_for_ends(client: &Client) -> BTreeMap<(String, String), String> {
    for _ in 0..120 {
        let waiting = client.list("/v1/tenants/acme/deliveries?state=pending,retrying").await;
        if waiting.is_empty() {
            let all = client.list("/v1/tenants/acme/deliveries").await;
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            return all
                .iter()
                .map(|delivery| {
                    ((text(&delivery["destination"]), text(&delivery["event_id"])), text(&delivery["state"]))
                })
                .collect();
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("deliveries still wait after a minute");
}

fn judge(
    acknowledged: &BTreeSet<String>,
    ends: &BTreeMap<(String, String), String>,
    sink: &Sink,
    received_at_kills: &[usize],
) {
    let mut successes: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
    let mut refusals: BTreeSet<(String, String)> = BTreeSet::new();
    for (index, one) in sink.received().iter().enumerate() {
        let pair = (one.path.trim_start_matches('/').to_owned(), one.headers["webhook-id"].clone());
        if (200..300).contains(&one.status) {
            successes.entry(pair).or_default().push(index);
        } else {
            refusals.insert(pair);
        }
    }
    // Every acknowledged event has an end at every destination, and it is the one that the receiver saw.
    for id in acknowledged {
        for (name, _) in DESTINATIONS {
            let pair = (name.to_owned(), id.clone());
            let end = ends.get(&pair).map_or("missing", String::as_str);
            let expected = if name == "dead" { "dead" } else { "delivered" };
            assert_eq!(end, expected, "{pair:?}");
            let seen = if name == "dead" { refusals.contains(&pair) } else { successes.contains_key(&pair) };
            assert!(seen, "{pair:?} is recorded as {end}, and the receiver never saw it");
        }
    }
    // A duplicate is what was in flight at a kill: its two requests stand on both sides of one.
    let mut duplicates = 0;
    for (pair, indexes) in &successes {
        for two in indexes.windows(2) {
            let explained = received_at_kills.iter().any(|kill| two[0] < *kill && *kill <= two[1]);
            assert!(explained, "{pair:?} was delivered twice with no kill between: {two:?} of {received_at_kills:?}");
            duplicates += 1;
        }
    }
    let in_flight = received_at_kills.len() * CONCURRENCY * DESTINATIONS.len();
    assert!(duplicates <= in_flight, "{duplicates} duplicates, at most {in_flight} were in flight");
    println!(
        "{} kills, {} acknowledged events, {} deliveries, 0 missing, {duplicates} duplicates (at most {in_flight} in flight)",
        received_at_kills.len(),
        acknowledged.len(),
        acknowledged.len() * DESTINATIONS.len(),
    );
}
