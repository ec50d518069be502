//! A rolling upgrade: the schema first, then host after host, with events published all the time.
//!
//! `RAILHEAD_OLD_BIN` is a program of the version before; without it both hosts run the same one.

use crate::support::{LONG, event, make_destination, migrate, options};
use railhead_harness::host::binary;
use railhead_harness::{Client, Host, HostOptions, Postgres, Received, Sink};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// So many that both hosts own some.
const DESTINATIONS: usize = 6;
/// Between publishes: enough to have some at any moment, little enough for a slow machine.
const PAUSE: Duration = Duration::from_millis(40);

#[tokio::test(flavor = "multi_thread")]
async fn old_and_new_hosts_run_side_by_side_and_lose_nothing() {
    let Some(postgres) = Postgres::start(&[]).await else { return };
    let (folder, sink) = (tempfile::tempdir().expect("a folder"), Sink::start().await);
    let new = options(&postgres, folder.path());
    let old_program = std::env::var_os("RAILHEAD_OLD_BIN").map_or_else(|| binary().to_owned(), PathBuf::from);
    let old = HostOptions { binary: Some(old_program.clone()), ..new.clone() };

    // The version before, at work.
    migrate(&old_program, &old);
    let mut old_host = Host::start(&folder.path().join("old"), &old).await;
    let client = old_host.client();
    client.make_tenant("acme").await;
    for n in 0..DESTINATIONS {
        make_destination(&client, &format!("d{n}"), &sink.url(&format!("/d{n}"))).await;
    }
    let publishing = Publishing::begin(&old_host);
    publishing.acknowledged(50).await;

    // The schema of today under it; the new host beside it.
    migrate(binary(), &new);
    publishing.acknowledged(50).await;
    let new_host = Host::start(&folder.path().join("new"), &new).await;
    publishing.to(&new_host);
    publishing.acknowledged(100).await;
    assert_eq!(old_host.exit(), None, "{}", old_host.log());

    // The old one ends; publishers go to the new one.
    publishing.only(&new_host);
    assert_eq!(old_host.terminate(), Some(0), "{}", old_host.log());
    publishing.acknowledged(50).await;
    let ids = publishing.end().await;
    let missing = |received: &[Received]| {
        let came: BTreeSet<_> = received.iter().map(|one| (one.path.as_str(), one.headers.get("webhook-id"))).collect();
        let wanted = (0..DESTINATIONS).flat_map(|n| ids.iter().map(move |id| (format!("/d{n}"), id)));
        wanted.filter(|(path, id)| !came.contains(&(path.as_str(), Some(id)))).count()
    };
    let all = sink.wait(LONG, |received| missing(received) == 0).await;
    let left = missing(&sink.received());
    assert!(all, "{left} of {} events\n{}\n--\n{}", ids.len(), old_host.log(), new_host.log());
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
