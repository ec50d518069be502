//! A rolling upgrade: the schema first, then host after host, with events published all the time.
//!
//! `RAILHEAD_OLD_BIN` is a program of the version before, which may not hand over shards while it runs: then the new host
//! accepts from the first moment, and delivers once the old one has left. Without it both hosts run the same program,
//! share the shards, and nothing comes twice.

use crate::support::{LONG, event, make_destination, until};
use railhead_harness::{Client, Host, HostOptions, Postgres, Received, Sink};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// So many that both hosts own some.
const DESTINATIONS: usize = 6;
/// Between publishes: enough to have some at any moment, little enough for a slow machine.
const PAUSE: Duration = Duration::from_millis(40);

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stdout)] // what it counted
async fn old_and_new_hosts_run_side_by_side_and_lose_nothing() {
    let Some(postgres) = Postgres::start(&[]).await else { return };
    let (folder, sink) = (tempfile::tempdir().expect("a folder"), Sink::start().await);
    let new = HostOptions::on_postgres(&postgres.url(), folder.path());
    let other = std::env::var_os("RAILHEAD_OLD_BIN").map(PathBuf::from);
    let old = HostOptions { binary: other.clone(), ..new.clone() };

    // The version before, at work.
    old.migrate();
    let mut old_host = Host::start(&folder.path().join("old"), &old).await;
    let client = old_host.client();
    client.make_tenant("acme").await;
    for n in 0..DESTINATIONS {
        make_destination(&client, &format!("d{n}"), &sink.url(&format!("/d{n}"))).await;
    }
    let publishing = Publishing::begin(&old_host);
    publishing.acknowledged(50).await;

    // The schema of today under it; the new host beside it.
    new.migrate();
    publishing.acknowledged(50).await;
    let new_host = Host::start(&folder.path().join("new"), &new).await;
    publishing.to(&new_host);
    if other.is_none() {
        for host in [&old_host, &new_host] {
            owns_shards(host).await;
        }
    }
    publishing.acknowledged(100).await;
    assert_eq!(old_host.exit(), None, "{}", old_host.log());

    // The old one ends; publishers go to the new one.
    publishing.only(&new_host);
    assert_eq!(old_host.terminate(), Some(0), "{}", old_host.log());
    publishing.acknowledged(50).await;
    let ids = publishing.end().await;
    let missing = |received: &[Received]| {
        let came = requests(received);
        wanted(&ids).filter(|pair| !came.contains_key(pair)).count()
    };
    let all = sink.wait(LONG, |received| missing(received) == 0).await;
    let left = missing(&sink.received());
    assert!(all, "{left} of {} events\n{}\n--\n{}", ids.len(), old_host.log(), new_host.log());

    // Each ended, once; and of two that hand over their shards, neither repeats what the other has done.
    all_delivered_once(&new_host.client(), &ids).await;
    let mut repeated = requests(&sink.received());
    repeated.retain(|_, count| *count > 1);
    println!("{} events to {DESTINATIONS} destinations, {} requests repeated", ids.len(), repeated.len());
    assert!(other.is_some() || repeated.is_empty(), "{repeated:?}\n{}\n--\n{}", old_host.log(), new_host.log());
}

/// A destination and an event's id.
type Pair = (String, String);

fn wanted(ids: &[String]) -> impl Iterator<Item = Pair> + '_ {
    (0..DESTINATIONS).flat_map(|n| ids.iter().map(move |id| (format!("d{n}"), id.clone())))
}

/// How often each came.
fn requests(received: &[Received]) -> BTreeMap<Pair, usize> {
    let mut requests = BTreeMap::new();
    for one in received {
        let id = one.headers.get("webhook-id").cloned().unwrap_or_default();
        *requests.entry((one.path.trim_start_matches('/').to_owned(), id)).or_default() += 1;
    }
    requests
}

/// Until this host's metrics say that it has shards.
async fn owns_shards(host: &Host) {
    let metrics = Client::new(host.metrics, "none");
    until(&metrics, "/metrics", |_, text| {
        let lines = text.as_str().unwrap_or_default().lines();
        let mut shards = lines.filter_map(|line| line.strip_prefix("railhead_shards ")?.parse::<f64>().ok());
        shards.any(|count| count > 0.0)
    })
    .await;
}

/// Waits until nothing waits; then each of these is on record, once, and every delivery as delivered.
async fn all_delivered_once(client: &Client, ids: &[String]) {
    let none = |_, page: &Value| page["data"].as_array().is_some_and(Vec::is_empty);
    until(client, "/v1/tenants/acme/deliveries?state=pending,retrying&limit=1", none).await;
    let mut ended = BTreeSet::new();
    for row in client.list("/v1/tenants/acme/deliveries").await {
        assert_eq!(row["state"], "delivered", "{row}");
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        assert!(ended.insert((text("destination"), text("event_id"))), "two records: {row}");
    }
    let lost: Vec<_> = wanted(ids).filter(|pair| !ended.contains(pair)).collect();
    assert!(lost.is_empty(), "acknowledged and not on record: {lost:?}");
}

/// Publishes to hosts in turn, all the time, and keeps what was acknowledged.
struct Publishing {
    to: Arc<Mutex<Vec<Client>>>,
    ids: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Publishing {
    fn begin(host: &Host) -> Self {
        let (to, ids, stop) =
            (Arc::new(Mutex::new(vec![host.client()])), Arc::default(), Arc::new(AtomicBool::new(false)));
        let task = tokio::spawn(publish(Arc::clone(&to), Arc::clone(&ids), Arc::clone(&stop)));
        Self { to, ids, stop, task }
    }

    fn to(&self, host: &Host) {
        self.to.lock().expect("whole").push(host.client());
    }

    fn only(&self, host: &Host) {
        *self.to.lock().expect("whole") = vec![host.client()];
    }

    /// Waits for so many more.
    async fn acknowledged(&self, more: usize) {
        let until = self.ids.lock().expect("whole").len() + more;
        let waited = async {
            while self.ids.lock().expect("whole").len() < until {
                tokio::time::sleep(Duration::from_millis(10)).await; // until the publisher got there
            }
        };
        tokio::time::timeout(LONG, waited).await.expect("events are accepted");
    }

    async fn end(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("the publisher ends");
        std::mem::take(&mut *self.ids.lock().expect("whole"))
    }
}

async fn publish(to: Arc<Mutex<Vec<Client>>>, ids: Arc<Mutex<Vec<String>>>, stop: Arc<AtomicBool>) {
    let next = AtomicUsize::new(0);
    while !stop.load(Ordering::Relaxed) {
        let n = next.fetch_add(1, Ordering::Relaxed);
        let client = {
            let to = to.lock().expect("whole");
            to[n % to.len()].clone()
        };
        let id = format!("e{n}");
        // A host that ends, or a table that is locked for a moment, refuses: what was not acknowledged may be missing.
        if client.post("/v1/events", &event("acme", &id)).await.0 == 202 {
            ids.lock().expect("whole").push(id);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
