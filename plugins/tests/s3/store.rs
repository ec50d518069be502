//! Against `s3s-fs`: it verifies signature, body hash and clock of each request, and keeps objects as files.

use crate::run::{all_rows, config, destination, of_type, outcomes, sandbox, told};
use railhead_harness::{S3Fs, s3};
use railhead_model::Event;
use railhead_model::event::Head;
use railhead_plugin_harness::{Answer, Destination, HttpPeer, Received, events, numbered};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

/// A store with the bucket `events`.
fn store() -> Option<S3Fs> {
    let store = S3Fs::start()?;
    store.make_bucket("events");
    Some(store)
}

#[tokio::test]
async fn a_batch_is_an_object_for_each_partition() {
    let Some(store) = store() else { return };
    let destination = destination(&store.url(), json!({"prefix": "live"})).await.batch_id("bat_1_7");
    let batch = vec![
        of_type(1, "order.created", r#"{ "n": 1.0 }"#),
        of_type(2, "order.paid", "2"),
        of_type(3, "order.created", "{\n  \"n\": \"a\\nb\"\r\n}"),
        of_type(4, "order.created", ""),
        Event { head: Head { content_type: "text/csv".to_owned(), ..numbered(5, b"").head }, ..numbered(5, b"a,b\n") },
    ];
    let uids: Vec<_> = batch.iter().map(|event| event.uid.to_string()).collect();
    let settled = destination.deliver(batch).await;
    assert_eq!(outcomes(&settled), [("delivered", "stored"); 5]);
    let rows = all_rows(&store);
    let keys: Vec<_> = rows.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "live/event_type=order.created/dt=2026-01-01/hour=00/part-bat_1_7.ndjson.gz",
            "live/event_type=order.paid/dt=2026-01-01/hour=00/part-bat_1_7.ndjson.gz",
        ]
    );
    let created = &rows[keys[0]];
    let column = |name: &str| created.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!(column("payload"), [json!({"n": 1.0}), json!({"n": "a\nb"}), Value::Null, json!("YSxiCg==")]);
    assert_eq!(column("event_id"), [0, 2, 3, 4].map(|n: usize| json!(uids[n])));
    assert_eq!(created[3]["metadata"], json!({"content_type": "text/csv", "payload_encoding": "base64"}));
    let first = &created[0];
    assert_eq!(
        [
            &first["id"],
            &first["event_type"],
            &first["tenant"],
            &first["source"],
            &first["occurred_at"],
            &first["received_at"]
        ],
        ["ord_1", "order.created", "acme", "/shop", "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z"]
    );
}

#[tokio::test]
async fn a_retry_writes_the_same_object() {
    let Some(store) = store() else { return };
    let destination = destination(&store.url(), json!({})).await.batch_id("bat_1_8");
    assert_eq!(outcomes(&destination.deliver(events(3)).await), [("delivered", "stored"); 3]);
    let before = store.objects("events");
    let again = destination.clone().attempt(2).deliver(events(3)).await;
    assert_eq!(outcomes(&again), [("delivered", "duplicate"); 3]);
    assert_eq!(store.objects("events"), before);

    let overwriting = destination.clone().configured(config(&store.url(), json!({"overwrite": true})));
    assert_eq!(outcomes(&overwriting.attempt(3).deliver(events(3)).await), [("delivered", "stored"); 3]);
    assert_eq!(store.objects("events"), before, "the same bytes under the same key");

    assert_eq!(outcomes(&destination.batch_id("bat_1_9").deliver(events(3)).await), [("delivered", "stored"); 3]);
    assert_eq!(store.objects("events").len(), 2);
}

#[tokio::test]
async fn objects_are_compressed_as_their_names_say() {
    let Some(store) = store() else { return };
    for (compression, extension) in [("none", "ndjson"), ("gzip", "ndjson.gz"), ("zstd", "ndjson.zst")] {
        let more = json!({"compression": compression, "key": "{hash}.{extension}"});
        let destination = destination(&store.url(), more).await.batch_id(compression);
        assert_eq!(outcomes(&destination.deliver(events(2)).await), [("delivered", "stored"); 2]);
        let rows = all_rows(&store);
        assert_eq!(rows[&format!("{compression}.{extension}")].len(), 2);
    }
}

#[tokio::test]
async fn without_batches_each_event_is_an_object() {
    let Some(store) = store() else { return };
    let single = single(&store, json!({})).await;
    for attempt in 1..=2 {
        let code = if attempt == 1 { "stored" } else { "duplicate" };
        let settled = single.clone().attempt(attempt).batch_id(&format!("call-{attempt}")).deliver(events(3)).await;
        assert_eq!(outcomes(&settled), [("delivered", code); 3]);
    }
    let rows = all_rows(&store);
    assert_eq!(rows.len(), 3);
    assert!(rows.values().all(|rows| rows.len() == 1));
}

/// Events by themselves, of the bucket `events`.
async fn single(store: &S3Fs, more: Value) -> Destination {
    let (harness, connector) = sandbox().await;
    harness.destination(&connector, config(&store.url(), more)).credential("keys", &S3Fs::keys())
}

#[tokio::test]
async fn an_event_by_itself_never_takes_anothers_object_for_its_own() {
    let Some(store) = store() else { return };
    let deliver = async |data: &str, code: &str| {
        let settled = single(&store, json!({})).await.deliver(vec![of_type(1, "order.created", data)]).await;
        assert_eq!(outcomes(&settled), [("delivered", code)], "{data}");
    };
    // Two destinations select other fields of one event, or its owner corrected the selection and replays it.
    deliver(r#"{"n":1,"of":2}"#, "stored").await;
    deliver(r#"{"n":1}"#, "stored").await;
    let objects = all_rows(&store);
    assert_eq!(objects.len(), 2);
    let payloads: HashSet<_> = objects.values().map(|rows| rows[0]["payload"].to_string()).collect();
    assert_eq!(payloads, HashSet::from([r#"{"n":1,"of":2}"#.to_owned(), r#"{"n":1}"#.to_owned()]));
    // What is there is the very same.
    deliver(r#"{"n":1}"#, "duplicate").await;
    assert_eq!(all_rows(&store), objects);
}

#[tokio::test]
async fn keys_of_odd_names_are_signed_as_they_are_sent() {
    let Some(store) = store() else { return };
    let more = json!({"key": "t={tenant}/(a)!*'_.-/{event_type}/{hash}", "compression": "none"});
    let destination = destination(&store.url(), more).await.tenant_id("ACME & Söhne/1").batch_id("b 1+?#");
    for (number, event_type) in (1..).zip(["..", "a/../b", "a b+c%2Fd=e&f", "é~", "x?y#z"]) {
        let settled = destination.deliver(vec![of_type(number, event_type, "1")]).await;
        assert_eq!(outcomes(&settled), [("delivered", "stored")], "{event_type}: {settled:?}");
    }
    let objects = store.objects("events");
    assert_eq!(objects.len(), 5);
    let folder = "t=ACME%20%26%20S%C3%B6hne%2F1/(a)!*'_.-/";
    assert!(objects.keys().all(|key| key.starts_with(folder) && key.ends_with("/b%201%2B%3F%23")), "{objects:?}");
    assert!(objects.keys().any(|key| key.contains("/%2E./")));
}

#[tokio::test]
async fn a_large_batch_arrives_whole() {
    let Some(store) = store() else { return };
    let destination = destination(&store.url(), json!({})).await;
    let data = format!("{{\"note\":\"{}\"}}", "é".repeat(500));
    let batch: Vec<_> =
        (0..4000_u32).map(|n| Event { id: format!("e{n}"), ..numbered((n % 250) as u8, data.as_bytes()) }).collect();
    let settled = destination.deliver(batch).await;
    assert!(settled.iter().all(|event| told(event).1 == "stored"), "{:?}", settled.first());
    let rows = all_rows(&store);
    let ids: Vec<_> = rows.values().flatten().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, (0..4000).map(|n| format!("e{n}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_batch_of_the_largest_size_fits_into_a_session() {
    let Some(store) = store() else { return };
    let destination = destination(&store.url(), json!({})).await;
    // Payloads on several lines are the connector's own bytes: they are there twice.
    let data = format!("[\n\"{}\"\n]", "x".repeat(128 * 1024));
    let count = 16 * 1024 * 1024 / data.len();
    let batch: Vec<_> = (0..count).map(|n| numbered(n as u8, data.as_bytes())).collect();
    let settled = destination.deliver(batch).await;
    assert!(settled.iter().all(|event| told(event).1 == "stored"), "{:?}", settled.first().map(told));
    assert_eq!(all_rows(&store).values().map(Vec::len).sum::<usize>(), count);
}

#[tokio::test]
async fn a_wrong_key_pair_is_the_credentials_fault() {
    let Some(store) = store() else { return };
    let (harness, connector) = sandbox().await;
    for (id, secret, code) in [
        (S3Fs::ACCESS_KEY, "not/the/secret/0123456789abcdefghijklmnop", "secret-key-wrong"),
        ("AKIANOBODYKNOWSIT", S3Fs::SECRET_KEY, "access-key-unknown"),
    ] {
        let destination = harness.destination(&connector, config(&store.url(), json!({}))).batched();
        let settled = destination.credential("keys", &s3::keys(id, secret, None)).deliver(events(2)).await;
        assert_eq!(outcomes(&settled), [("rejected_credentials", code); 2], "{settled:?}");
    }
    assert!(store.objects("events").is_empty());
}

#[tokio::test]
async fn a_clock_20_minutes_off_is_told_as_such() {
    let Some(store) = store() else { return };
    let (harness, connector) = sandbox().await;
    let destination = harness.destination(&connector, config(&store.url(), json!({}))).batched();
    let destination = destination.credential("keys", &S3Fs::keys());
    for minutes in [20, -20] {
        harness.clock().put_ahead(minutes * 60_000);
        let settled = destination.deliver(events(2)).await;
        assert_eq!(outcomes(&settled), [("transient", "clock-skewed"); 2], "{settled:?}");
        assert!(told(&settled[0]).3.contains("operator of this service"), "{settled:?}");
    }
    harness.clock().put_ahead(0);
    assert_eq!(outcomes(&destination.deliver(events(2)).await), [("delivered", "stored"); 2]);
}

#[tokio::test]
async fn a_store_that_is_gone_got_nothing() {
    let Some(store) = store() else { return };
    let destination = destination(&store.url(), json!({})).await;
    drop(store);
    let settled = destination.deliver(events(2)).await;
    assert!(settled.iter().all(|event| told(event).0 == "transient"), "{settled:?}");
}

/// Passes a request on to a server, with its body as `change` leaves it; what that answers.
pub fn pass_on(store: SocketAddr, received: &Received, change: impl Fn(&mut Vec<u8>)) -> Answer {
    let mut body = received.body.clone();
    change(&mut body);
    let mut request = format!("{}\r\n", received.line);
    for (name, values) in received.headers.iter().filter(|(name, _)| *name != "connection") {
        values.iter().for_each(|value| request.push_str(&format!("{name}: {value}\r\n")));
    }
    request.push_str("connection: close\r\n\r\n");
    let mut stream = TcpStream::connect(store).unwrap();
    stream.write_all(&[request.as_bytes(), &body].concat()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    Answer::Bytes(answer.into())
}

#[tokio::test]
async fn what_changes_on_its_way_is_not_stored() {
    let Some(store) = store() else { return };
    let address = store.address();
    let peer = HttpPeer::deciding(move |received| pass_on(address, received, |body| body[20] ^= 1)).unwrap();
    let (harness, connector) = sandbox().await;
    let destination = |endpoint: &str| {
        harness.destination(&connector, config(endpoint, json!({}))).credential("keys", &S3Fs::keys()).batched()
    };
    let settled = destination(peer.origin()).deliver(events(2)).await;
    assert!(settled.iter().all(|event| crate::run::comes_again(&event.outcome)), "{settled:?}");
    assert!(store.objects("events").is_empty());
    let honest = HttpPeer::deciding(move |received| pass_on(address, received, |_| ())).unwrap();
    assert_eq!(outcomes(&destination(honest.origin()).deliver(events(2)).await), [("delivered", "stored"); 2]);
}
