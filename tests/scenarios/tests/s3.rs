//! Batches in an object store, over the real binary and a real store: whatever happens between the upload and its
//! record, there is one object of a batch.

use railhead_harness::peer::Request;
use railhead_harness::{Client, Peer, Reply, S3Fs, Store};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

railhead_harness::on_both_stores! {
    a_host_that_dies_before_it_records_an_upload_leaves_one_object,
    so_it_does_where_objects_are_written_over,
    an_answer_that_is_lost_leaves_one_object,
    an_object_that_is_refused_again_and_again_keeps_no_other_back,
    two_destinations_that_share_a_place_do_not_share_objects,
}

const EVENTS: usize = 60;
/// Batches of half of them, in which every other event is of another type.
const OBJECTS: usize = 4;

async fn a_host_that_dies_before_it_records_an_upload_leaves_one_object(store: &Store) {
    killed_before_the_record(store, false).await;
}

async fn so_it_does_where_objects_are_written_over(store: &Store) {
    killed_before_the_record(store, true).await;
}

async fn killed_before_the_record(store: &Store, overwrite: bool) {
    let Some(objects) = objects() else { return };
    let relay = Relay::start(objects.address(), Answers::Held).await;
    let mut host = store.start().await;
    let client = host.client();
    client.make_tenant("acme").await;
    client.make_destination("acme", "archive", &destination(&relay, overwrite)).await;
    publish(&client).await;
    // The whole first batch lies in the store, and nobody was told.
    relay.uploaded(2).await;
    host.kill();
    let (before, held) = (objects.objects("events"), relay.paths());
    assert!(!before.is_empty() && before.len() == held.len(), "{held:?}");

    relay.answer(Answers::PassedOn);
    let host = store.start().await;
    let codes = ends(&host.client()).await;
    let after = objects.objects("events");
    assert_eq!(after.len(), OBJECTS);
    for (key, body) in &before {
        assert!(after.get(key) == Some(body), "{key} is another object than before the kill");
    }
    let paths = relay.paths();
    for path in &held {
        assert_eq!(paths.iter().filter(|again| *again == path).count(), 2, "{path} was written again under its name");
    }
    assert_eq!(ids(&after), (0..EVENTS).collect::<Vec<_>>(), "every event is in one object");
    let expected: &[&str] = if overwrite { &["stored"] } else { &["duplicate", "stored"] };
    assert!(codes.iter().all(|code| expected.contains(&code.as_str())), "{codes:?}");
    assert_eq!(codes.contains("duplicate"), !overwrite, "{codes:?}");
}

async fn an_answer_that_is_lost_leaves_one_object(store: &Store) {
    let Some(objects) = objects() else { return };
    let relay = Relay::start(objects.address(), Answers::LostOnce).await;
    let host = store.start().await;
    let client = host.client();
    client.make_tenant("acme").await;
    client.make_destination("acme", "archive", &destination(&relay, false)).await;
    publish(&client).await;
    let codes = ends(&client).await;
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), ["duplicate"]);
    let stored = objects.objects("events");
    assert_eq!((stored.len(), relay.paths().len()), (OBJECTS, 2 * OBJECTS));
    assert_eq!(ids(&stored), (0..EVENTS).collect::<Vec<_>>());
}

async fn an_object_that_is_refused_again_and_again_keeps_no_other_back(store: &Store) {
    let Some(objects) = objects() else { return };
    let relay = Relay::start(objects.address(), Answers::PaidRefused).await;
    let mut host = store.start().await;
    let client = host.client();
    client.make_tenant("acme").await;
    client.make_destination("acme", "archive", &destination(&relay, false)).await;
    publish(&client).await;
    let of =
        |paths: &[String], kind: &str| paths.iter().filter(|path| path.contains(kind)).cloned().collect::<Vec<_>>();
    // Both batches were tried again.
    relay.until(|paths| of(paths, "order.paid").len() >= 4).await;
    let halves =
        deliveries(&client, |all| all.iter().filter(|one| one["state"] == "delivered").count() == EVENTS / 2).await;
    for delivery in &halves {
        let (kind, state) = (&delivery["event_type"], &delivery["state"]);
        assert_eq!(*state == "delivered", kind == "order.created", "{delivery}");
        assert!(["delivered", "retrying"].iter().any(|known| state == known), "{delivery}");
    }
    let before = objects.objects("events");
    assert_eq!(before.len(), OBJECTS / 2);
    assert_eq!(ids(&before), (0..EVENTS).step_by(2).collect::<Vec<_>>());

    // What is left of the batches survives the host, too.
    host.kill();
    relay.answer(Answers::PassedOn);
    let host = store.start().await;
    assert_eq!(ends(&host.client()).await.into_iter().collect::<Vec<_>>(), ["stored"]);
    let after = objects.objects("events");
    assert!(before.iter().all(|(key, body)| after.get(key) == Some(body)), "what arrived stays as it is");
    assert_eq!((after.len(), ids(&after)), (OBJECTS, (0..EVENTS).collect()));
    let paths = relay.paths();
    assert_eq!(of(&paths, "order.created").len(), OBJECTS / 2, "each was written once: {paths:?}");
    let refused: BTreeSet<_> = of(&paths, "order.paid").into_iter().collect();
    assert_eq!(refused.len(), OBJECTS / 2, "under the same names at every attempt: {paths:?}");
}

/// They select other fields of the same events, and each event is an object.
async fn two_destinations_that_share_a_place_do_not_share_objects(store: &Store) {
    let Some(objects) = objects() else { return };
    let relay = Relay::start(objects.address(), Answers::PassedOn).await;
    let host = store.start().await;
    let client = host.client();
    client.make_tenant("acme").await;
    let single = |fields: Value| {
        let mut destination = destination(&relay, false);
        destination["batch"] = json!({"max_events": 1, "max_bytes": 1_000_000, "linger_ms": 0});
        destination["fields"] = fields;
        destination
    };
    client.make_destination("acme", "archive", &single(json!({}))).await;
    client.make_destination("acme", "lean", &single(json!({"exclude": ["/of"]}))).await;
    let event = json!({"tenant": "acme", "type": "order.created", "id": "e-1", "data": {"n": 1, "of": 2}});
    let (status, body) = client.post("/v1/events", &json!([event])).await;
    assert_eq!(status, 202, "{body}");
    for destination in ["archive", "lean"] {
        let ended = deliveries_of(&client, destination, |all| all.len() == 1 && all[0]["state"] == "delivered").await;
        assert_eq!(ended[0]["code"], "stored");
    }
    let payload = |body: &Vec<u8>| serde_json::from_slice::<Value>(body).expect("a row")["payload"].to_string();
    let payloads: BTreeSet<_> = objects.objects("events").values().map(payload).collect();
    assert_eq!(payloads.into_iter().collect::<Vec<_>>(), [r#"{"n":1,"of":2}"#, r#"{"n":1}"#]);
}

/// A store with the bucket `events`.
fn objects() -> Option<S3Fs> {
    let objects = S3Fs::start()?;
    objects.make_bucket("events");
    Some(objects)
}

fn destination(relay: &Relay, overwrite: bool) -> Value {
    json!({
        "connector": "s3",
        "config": {
            "bucket": "events", "region": "us-east-1", "endpoint": relay.peer.url(""), "overwrite": overwrite,
            "key": "event_type={event_type}/{hash}.{extension}", "compression": "none",
        },
        "credentials": {"keys": S3Fs::keys()},
        "batch": {"max_events": EVENTS / 2, "max_bytes": 1_000_000, "linger_ms": 60_000},
        "retry": {"schedule_ms": [500, 500, 500, 500, 500]},
    })
}

/// All at once, so that the batches are full.
async fn publish(client: &Client) {
    let kind = |n: usize| if n.is_multiple_of(2) { "order.created" } else { "order.paid" };
    let event = |n: usize| json!({"tenant": "acme", "type": kind(n), "id": format!("e-{n}"), "data": {"n": n}});
    let (status, body) = client.post("/v1/events", &json!((0..EVENTS).map(event).collect::<Vec<_>>())).await;
    assert_eq!(status, 202, "{body}");
}

/// The codes with which all deliveries ended.
async fn ends(client: &Client) -> BTreeSet<String> {
    let ended = |all: &[Value]| all.len() == EVENTS && all.iter().all(|delivery| delivery["state"] == "delivered");
    let code = |delivery: &Value| delivery["code"].as_str().unwrap_or_default().to_owned();
    deliveries(client, ended).await.iter().map(code).collect()
}

/// All deliveries of the archive, once they are as they should.
async fn deliveries(client: &Client, done: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    deliveries_of(client, "archive", done).await
}

async fn deliveries_of(client: &Client, destination: &str, done: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let mut deliveries = Vec::new();
    for _ in 0..1_200 {
        deliveries = client.list(&format!("/v1/tenants/acme/deliveries?destination={destination}")).await;
        if done(&deliveries) {
            return deliveries;
        }
        // What the engine does shows when it is recorded; nothing tells when.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("after two minutes: {deliveries:#?}");
}

/// Numbers of the events in all objects, sorted.
fn ids(objects: &BTreeMap<String, Vec<u8>>) -> Vec<usize> {
    let rows = objects.values().flat_map(|body| body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()));
    let number = |line: &[u8]| {
        let row: Value = serde_json::from_slice(line).expect("a row");
        assert_eq!(row["id"], format!("e-{}", row["payload"]["n"]));
        row["payload"]["n"].as_u64().expect("a number") as usize
    };
    let mut numbers: Vec<_> = rows.map(number).collect();
    numbers.sort_unstable();
    numbers
}

/// What becomes of the store's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answers {
    PassedOn,
    /// For ever.
    Held,
    /// The first for each path; the connection closes instead.
    LostOnce,
    /// Objects of one type do not even reach the store.
    PaidRefused,
}

const REFUSAL: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/xml\r\ncontent-length: 41\r\n\
    connection: close\r\n\r\n<Error><Code>InternalError</Code></Error>";

/// Stands before a store and passes requests on.
struct Relay {
    peer: Peer,
    uploaded: Arc<AtomicUsize>,
    answers: Arc<Mutex<Answers>>,
}

impl Relay {
    async fn start(store: SocketAddr, answers: Answers) -> Self {
        let (uploaded, answers) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(answers)));
        let (count, current, seen) = (uploaded.clone(), answers.clone(), Mutex::new(BTreeSet::new()));
        let peer = Peer::start(move |request| {
            let refuses = *current.lock().expect("sound") == Answers::PaidRefused;
            if refuses && request.target().contains("order.paid") {
                return Reply::Close(REFUSAL.to_vec());
            }
            let answer = tokio::task::block_in_place(|| pass_on(store, request));
            count.fetch_add(1, Ordering::SeqCst);
            let is_first = seen.lock().expect("sound").insert(request.target().to_owned());
            match *current.lock().expect("sound") {
                Answers::Held => Reply::Stall(Vec::new()),
                Answers::LostOnce if is_first => Reply::Close(Vec::new()),
                Answers::PassedOn | Answers::LostOnce | Answers::PaidRefused => Reply::Close(answer),
            }
        })
        .await;
        Self { peer, uploaded, answers }
    }

    fn answer(&self, answers: Answers) {
        *self.answers.lock().expect("sound") = answers;
    }

    /// Waits until the store has answered so many requests.
    async fn uploaded(&self, wanted: usize) {
        for _ in 0..1_200 {
            if self.uploaded.load(Ordering::SeqCst) >= wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nothing was uploaded in a minute");
    }

    /// Waits for requests.
    async fn until(&self, done: impl Fn(&[String]) -> bool) {
        for _ in 0..1_200 {
            if done(&self.paths()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("after a minute: {:?}", self.paths());
    }

    /// Of all requests, in order.
    fn paths(&self) -> Vec<String> {
        self.peer.requests().iter().map(|request| request.target().to_owned()).collect()
    }
}

/// Sends the very request to the store; its whole answer. The signature covers the header `host`, which stays.
fn pass_on(store: SocketAddr, request: &Request) -> Vec<u8> {
    let head: Vec<&str> =
        request.head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:")).collect();
    let mut stream = TcpStream::connect(store).expect("the store");
    let head = format!("{}\r\nconnection: close\r\n\r\n", head.join("\r\n").trim_end());
    stream.write_all(&[head.as_bytes(), &request.body].concat()).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    answer
}
