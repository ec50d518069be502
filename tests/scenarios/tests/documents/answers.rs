//! The tables of `host/RECEIVING.md`: what each answer does, and when a failed event comes again.

use super::page;
use railhead_harness::{Client, Host, HostOptions, Script, Sink};
use railhead_model::retry::DEFAULT_SCHEDULE_MS;
use serde_json::{Value, json};
use std::ops::RangeInclusive;

/// The ranges of a cell such as `400, 402, 411-424`; none of one in words.
fn ranges(cell: &str) -> Vec<RangeInclusive<u16>> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    cell.split(", ").filter_map(range).collect()
}

/// The ends of each range: what is tried.
fn statuses(cell: &str) -> Vec<u16> {
    let mut all: Vec<u16> = ranges(cell).iter().flat_map(|range| [*range.start(), *range.end()]).collect();
    all.dedup();
    all
}

/// The first attempt of the destination's delivery, once it is recorded.
async fn first_attempt(client: &Client, destination: &str) -> (Value, Value) {
    for _ in 0..300 {
        let deliveries = client.list(&format!("/v1/tenants/acme/deliveries?destination={destination}")).await;
        if let Some(delivery) = deliveries.first() {
            let id = delivery["id"].as_str().expect("an id");
            let attempts = client.list(&format!("/v1/tenants/acme/deliveries/{id}/attempts")).await;
            if let Some(attempt) = attempts.last() {
                let (_, delivery) = client.get(&format!("/v1/tenants/acme/deliveries/{id}")).await;
                return (delivery, attempt.clone());
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("no attempt of {destination} in 30 s");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_answer_does_what_the_table_says() {
    let rows = page::table(&page::read("host/RECEIVING.md"), "answer");
    let rows: Vec<_> = rows.iter().map(|row| (statuses(&row[0]), row[1].trim_matches('`'), &row[2])).collect();
    let covered: Vec<u16> = rows.iter().flat_map(|(statuses, ..)| statuses.clone()).collect();

    let (folder, sink) = (tempfile::tempdir().expect("a folder"), Sink::start().await);
    let host = Host::start(folder.path(), &HostOptions::default()).await;
    let client = host.client();
    client.make_tenant("acme").await;
    for status in &covered {
        sink.script(&format!("/{status}"), Script::Status(*status));
        let body = json!({"connector": "webhook", "config": {"url": sink.url(&format!("/{status}"))}});
        client.make_destination("acme", &status.to_string(), &body).await;
    }
    let event = json!({"tenant": "acme", "type": "order.created", "id": "e", "data": {}});
    let (status, body) = client.post("/v1/events", &event).await;
    assert_eq!((status, &body["deliveries"]), (202, &json!(covered.len())), "{body}");

    for (statuses, outcome, happens) in rows {
        for status in statuses {
            let (delivery, attempt) = first_attempt(&client, &status.to_string()).await;
            assert_eq!((&attempt["outcome"], &attempt["status"]), (&json!(outcome), &json!(status.to_string())));
            let end = match outcome {
                "delivered" => "delivered",
                "permanent" => "dead",
                _ => "retrying",
            };
            assert_eq!(delivery["state"], end, "{status}: {delivery}");
            let (_, destination) = client.get(&format!("/v1/tenants/acme/destinations/{status}")).await;
            let state = match () {
                () if happens.contains("**disabled**") => "disabled",
                () if happens.contains("failing") => "failing",
                () => "active",
            };
            assert_eq!(destination["state"], state, "{status}: {destination}");
        }
    }
}

#[test]
fn each_status_stands_in_one_row() {
    let rows = page::table(&page::read("host/RECEIVING.md"), "answer");
    let mut all: Vec<u16> = rows.iter().flat_map(|row| ranges(&row[0])).flatten().collect();
    all.sort_unstable();
    assert_eq!(all, (200..600).collect::<Vec<_>>());
}

#[test]
fn the_retry_table_is_the_default_schedule() {
    let rows = page::table(&page::read("host/RECEIVING.md"), "attempt");
    let mut since = 0;
    let mut expected = vec![vec!["1".to_owned(), "at once".to_owned(), "0".to_owned()]];
    for (index, delay) in DEFAULT_SCHEDULE_MS.into_iter().enumerate() {
        since += delay;
        expected.push(vec![(index + 2).to_string(), span(delay), span(since)]);
    }
    assert_eq!(rows, expected);
}

/// `1 h 42 min 35 s`
fn span(ms: u64) -> String {
    let seconds = ms / 1_000;
    let parts = [(seconds / 3_600, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let parts: Vec<_> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n} {unit}")).collect();
    parts.join(" ")
}
