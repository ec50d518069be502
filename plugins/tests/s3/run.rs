//! Destinations of the S3 connector, and what their objects hold.

use railhead_harness::S3Fs;
use railhead_model::{Event, Outcome};
use railhead_plugin_harness::{Connector, Destination, Harness, SettledEvent, numbered};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// One sandbox for all tests: the component is compiled once.
static HOST: OnceCell<(Harness, Arc<Connector>)> = OnceCell::const_new();

async fn host() -> &'static (Harness, Arc<Connector>) {
    HOST.get_or_init(|| async { sandbox().await }).await
}

/// One of a test's own: its clock is its own, too.
pub async fn sandbox() -> (Harness, Arc<Connector>) {
    let harness = Harness::new().unwrap();
    let connector = harness.load(railhead_plugins::S3).await.unwrap();
    (harness, connector)
}

/// The bucket `events` at an endpoint, and more settings.
pub fn config(endpoint: &str, more: Value) -> Value {
    let mut config = json!({"bucket": "events", "region": "eu-west-1", "endpoint": endpoint});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

/// A destination that writes batches there, with the key pair of [`S3Fs`].
pub async fn destination(endpoint: &str, more: Value) -> Destination {
    let (harness, connector) = host().await;
    harness.destination(connector, config(endpoint, more)).credential("keys", &S3Fs::keys()).batched()
}

/// The same without credentials.
pub async fn anonymous(endpoint: &str, more: Value) -> Destination {
    let (harness, connector) = host().await;
    harness.destination(connector, config(endpoint, more)).batched()
}

/// A numbered event of a type.
pub fn of_type(number: u8, event_type: &str, data: &str) -> Event {
    Event { event_type: event_type.to_owned(), ..numbered(number, data.as_bytes()) }
}

/// Two objects.
pub fn events_of_two_types() -> Vec<Event> {
    vec![of_type(1, "order.created", "1"), of_type(2, "order.paid", "2"), of_type(3, "order.created", "3")]
}

/// The class, the code, the store's word, and the message.
pub fn told(settled: &SettledEvent) -> (&'static str, &str, Option<&str>, &str) {
    let (class, reason) = (settled.outcome.class().as_str(), settled.outcome.reason());
    (class, &reason.code, reason.status.as_deref(), &reason.message)
}

/// Class and code of each.
pub fn outcomes(settled: &[SettledEvent]) -> Vec<(&'static str, &str)> {
    settled.iter().map(told).map(|(class, code, ..)| (class, code)).collect()
}

/// True if the outcome may leave the event undelivered, but not lose it.
pub fn comes_again(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::Delivered(_) | Outcome::Permanent(_))
}

/// The rows of an object, by what its key ends in.
pub fn rows(key: &str, body: &[u8]) -> Vec<Value> {
    let mut text = String::new();
    if key.ends_with(".gz") {
        flate2::read::GzDecoder::new(body).read_to_string(&mut text).unwrap();
    } else if key.ends_with(".zst") {
        text = String::from_utf8(zstd::decode_all(body).unwrap()).unwrap();
    } else {
        text = String::from_utf8(body.to_vec()).unwrap();
    }
    assert!(text.ends_with('\n'), "{text:?}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The rows of all objects of the bucket `events`.
pub fn all_rows(store: &S3Fs) -> BTreeMap<String, Vec<Value>> {
    store.objects("events").iter().map(|(key, body)| (key.clone(), rows(key, body))).collect()
}
