//! Publishers that send through whichever host answers, and note what was acknowledged.

use railhead_harness::Cluster;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{RwLock, RwLockWriteGuard, watch};
use tokio::task::JoinSet;

/// Each has two destinations.
pub const TENANTS: usize = 4;
pub const DESTINATIONS: usize = 2 * TENANTS;

const PUBLISHERS: usize = 8;
/// Between the events of one publisher: a bad day needs load, not a race.
const PACE: Duration = Duration::from_millis(60);
/// A host that does not answer for so long is left for the next one.
const LIMIT: Duration = Duration::from_secs(5);
/// Before the next host is asked.
const BUSY: Duration = Duration::from_millis(50);

/// All publishers of a day. The n-th event has the id `e<n>`.
pub struct Load {
    next: AtomicUsize,
    acknowledged: Mutex<BTreeSet<usize>>,
    count: watch::Sender<usize>,
    stopping: AtomicBool,
    /// Read while an event is on its way.
    gate: RwLock<()>,
    tasks: Mutex<JoinSet<()>>,
    /// Answers that are neither an acknowledgement nor "not now".
    odd: Mutex<BTreeMap<String, usize>>,
    /// How often a host had to be asked again.
    again: AtomicUsize,
}

/// Whose a destination is.
pub const fn owner(destination: usize) -> usize {
    destination % TENANTS
}

impl Load {
    pub fn start(cluster: &Arc<Cluster>) -> Arc<Self> {
        let load = Arc::new(Self {
            next: AtomicUsize::new(0),
            acknowledged: Mutex::default(),
            count: watch::Sender::new(0),
            stopping: AtomicBool::new(false),
            gate: RwLock::default(),
            tasks: Mutex::default(),
            odd: Mutex::default(),
            again: AtomicUsize::new(0),
        });
        let mut tasks = load.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for publisher in 0..PUBLISHERS {
            tasks.spawn(Arc::clone(&load).run(Arc::clone(cluster), publisher));
        }
        drop(tasks);
        load
    }

    /// Comes back when every publisher has its last acknowledgement.
    pub async fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.join_all().await;
    }

    /// Comes back when all that was sent is acknowledged; nothing more is sent while the answer is held.
    pub async fn pause(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.write().await
    }

    pub fn count(&self) -> usize {
        *self.count.borrow()
    }

    pub async fn wait(&self, count: usize) {
        let enough = self.count.subscribe().wait_for(|now| *now >= count).await.is_ok();
        assert!(enough, "publishers are gone");
    }

    pub fn acknowledged(&self) -> BTreeSet<usize> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn odd(&self) -> BTreeMap<String, usize> {
        self.odd.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often an event was sent again.
    pub fn again(&self) -> usize {
        self.again.load(Ordering::Relaxed)
    }

    async fn run(self: Arc<Self>, cluster: Arc<Cluster>, publisher: usize) {
        let mut host = publisher;
        while !self.stopping.load(Ordering::Relaxed) {
            let passed = self.gate.read().await;
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            while !self.publish(&cluster, host, n).await {
                self.again.fetch_add(1, Ordering::Relaxed);
                host += 1;
                tokio::time::sleep(BUSY).await;
            }
            drop(passed);
            tokio::time::sleep(PACE).await;
        }
    }

    /// False: not acknowledged, so the same event is sent again, under the same id.
    async fn publish(&self, cluster: &Cluster, host: usize, n: usize) -> bool {
        let data = json!({"n": n, "pad": "x".repeat(200)});
        let event = json!({"tenant": format!("v{}", n % TENANTS), "type": "order.created", "id": format!("e{n}"), "data": data});
        let client = cluster.client(host % cluster.size());
        let Ok((status, answer)) = tokio::time::timeout(LIMIT, client.post("/v1/events", &event)).await else {
            return false;
        };
        match status {
            202 => {
                assert_eq!(answer["deliveries"], 2, "{answer}");
                let new = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).insert(n);
                assert!(new, "e{n} was acknowledged twice");
                self.count.send_modify(|count| *count += 1);
                true
            }
            0 | 429 | 503 => false,
            other => {
                let odd = format!("{other} {} {}", answer["code"], answer["detail"]);
                *self.odd.lock().unwrap_or_else(PoisonError::into_inner).entry(odd).or_default() += 1;
                false
            }
        }
    }
}
