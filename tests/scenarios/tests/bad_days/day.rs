//! A day: hosts, a receiver, load all the while, and what went wrong when.

use crate::judge;
use crate::load::{DESTINATIONS, Load, TENANTS, owner};
use railhead_harness::{Cluster, Postgres, Script, Sink};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Days that run side by side: each has several processes, and machines have few cores.
static TURNS: Semaphore = Semaphore::const_new(2);

/// How long anything is waited for before the day counts as one that no host recovers from.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// EX_TEMPFAIL: what a fenced host ends with, so that its supervisor starts it again.
pub const FENCED: i32 = 75;

/// A destination's number and an event's id.
pub type Pair = (usize, String);

/// From before something went wrong until everything acknowledged meanwhile had arrived.
#[derive(Clone, Debug)]
pub struct Window {
    pub what: &'static str,
    pub from: Instant,
    pub until: Instant,
}

/// Something that goes wrong now.
#[must_use]
pub struct Fault(&'static str, Instant);

pub struct Day {
    pub cluster: Arc<Cluster>,
    pub sink: Sink,
    pub load: Arc<Load>,
    windows: Mutex<Vec<Window>>,
    ledger: Mutex<Ledger>,
    _turn: SemaphorePermit<'static>,
}

/// The receiver's requests by destination and event.
#[derive(Default)]
pub struct Ledger {
    read: usize,
    /// When each came, and how it was answered.
    pub requests: BTreeMap<Pair, Vec<(Instant, u16)>>,
}

/// Waits for a place among the days that run now. Before anything is started: a day that waits costs nothing.
pub async fn turn() -> SemaphorePermit<'static> {
    TURNS.acquire().await.expect("never closed")
}

/// So many hosts on one server, each by the direct way.
pub async fn hosts(postgres: &Postgres, count: usize) -> Cluster {
    Cluster::start(&vec![postgres.url(); count]).await
}

impl Day {
    /// Makes tenants and destinations and starts to publish.
    pub async fn begin(turn: SemaphorePermit<'static>, cluster: Cluster) -> Self {
        let (sink, client) = (Sink::start().await, cluster.client(0));
        for tenant in 0..TENANTS {
            client.make_tenant(&format!("v{tenant}")).await;
        }
        for no in 0..DESTINATIONS {
            let path = format!("/{no}");
            if let Some(script) = manner(no) {
                sink.script(&path, script);
            }
            let body = json!({
                "connector": "webhook",
                "config": {"url": sink.url(&path)},
                "retry": {"schedule_ms": vec![1_000; 20]},
                "timeout_ms": 60_000,
            });
            client.make_destination(&format!("v{}", owner(no)), &format!("d{no}"), &body).await;
        }
        let cluster = Arc::new(cluster);
        let load = Load::start(&cluster);
        let (windows, ledger) = (Mutex::default(), Mutex::default());
        Self { cluster, sink, load, windows, ledger, _turn: turn }
    }

    /// Waits until so many more events are acknowledged.
    pub async fn acknowledged(&self, more: usize) {
        let enough = tokio::time::timeout(PATIENCE, self.load.wait(self.load.count() + more)).await;
        assert!(enough.is_ok(), "no host takes events any more:\n{}", self.cluster.logs());
    }

    /// To be called just before something goes wrong.
    pub fn fault(&self, what: &'static str) -> Fault {
        Fault(what, Instant::now())
    }

    /// Waits until every host is ready, and everything that was acknowledged has arrived and is on record: what comes
    /// twice after that has another reason.
    pub async fn recovered(&self, fault: Fault) {
        self.cluster.all_ready().await;
        let paused = tokio::time::timeout(PATIENCE, self.load.pause()).await;
        let _paused = paused.unwrap_or_else(|_| panic!("events are not acknowledged:\n{}", self.cluster.logs()));
        self.arrived().await;
        judge::nothing_waits(&self.cluster).await;
        let window = Window { what: fault.0, from: fault.1, until: Instant::now() };
        let took = window.until.duration_since(window.from).as_secs_f64();
        let silence = self.ledger(|ledger| judge::longest_silence(ledger, &window)).as_secs_f64();
        println!("{}: recovered after {took:.1} s, longest silence at a destination {silence:.1} s", window.what);
        self.windows.lock().unwrap_or_else(PoisonError::into_inner).push(window);
    }

    /// Waits until all that is acknowledged now had its last answer from the receiver.
    pub async fn arrived(&self) {
        let mut missing: BTreeSet<Pair> = self.load.acknowledged().into_iter().flat_map(pairs).collect();
        let begin = Instant::now();
        while !missing.is_empty() {
            self.ledger(|ledger| missing.retain(|pair| !ledger.has_ended(pair)));
            let some: Vec<_> = missing.iter().take(5).collect();
            assert!(
                begin.elapsed() < PATIENCE,
                "{} deliveries do not arrive, such as {some:?}:\n{}",
                missing.len(),
                self.cluster.logs()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends the load and judges the day.
    pub async fn judge(&self) -> judge::Verdict {
        let stopped = tokio::time::timeout(PATIENCE, self.load.stop()).await;
        assert!(stopped.is_ok(), "events are not acknowledged:\n{}", self.cluster.logs());
        self.arrived().await;
        let ends = judge::ends(&self.cluster).await;
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let ledger = self.ledger(|ledger| Ledger { read: ledger.read, requests: ledger.requests.clone() });
        judge::judge(&self.cluster, &self.load, &ends, &ledger, &windows).await
    }

    /// The ledger as it is now.
    pub fn ledger<R>(&self, read: impl FnOnce(&Ledger) -> R) -> R {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let new = self.sink.received_since(ledger.read);
        ledger.read += new.len();
        for one in new {
            let no = one.path.trim_start_matches('/').parse().expect("a destination's number");
            let id = one.headers.get("webhook-id").cloned().expect("an id");
            ledger.requests.entry((no, id)).or_default().push((one.at, one.status));
        }
        read(&ledger)
    }
}

impl Ledger {
    fn has_ended(&self, pair: &Pair) -> bool {
        let last = last_answer(pair.0);
        self.requests.get(pair).is_some_and(|requests| requests.iter().any(|(_, status)| *status == last))
    }
}

/// Where the n-th event goes.
pub fn pairs(n: usize) -> [Pair; 2] {
    let first = n % TENANTS;
    [(first, format!("e{n}")), (first + TENANTS, format!("e{n}"))]
}

/// One that refuses everything, one that stumbles, and two that take their time, so that at any moment something is on
/// its way.
fn manner(destination: usize) -> Option<Script> {
    match destination {
        1 | 5 => Some(Script::Slow(Duration::from_millis(150), 204)),
        3 => Some(Script::FirstFails(500, 10)),
        6 => Some(Script::Status(422)),
        _ => None,
    }
}

/// What ends a delivery there.
pub const fn last_answer(destination: usize) -> u16 {
    if destination == 6 { 422 } else { 204 }
}
