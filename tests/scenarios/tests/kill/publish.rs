//! Publishers: what was acknowledged, and what must be asked again because the answer was lost.

use crate::plan::{BUNDLE, COPIES, owner, tenant};
use railhead_harness::Client;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

const PUBLISHERS: usize = 16;
/// Between the events of a publisher that trickles.
const TRICKLE: Duration = Duration::from_millis(100);
/// Before the next try where the host was busy.
const BUSY: Duration = Duration::from_millis(10);

/// How fast publishers go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// No more.
    #[default]
    Stop,
    /// As fast as it goes until so many are acknowledged in all, then slowly.
    Until(usize),
    /// As fast as it goes.
    Rush,
}

/// What all publishers of a run share. The n-th event has the id `e<n>`.
#[derive(Default)]
pub struct Publishers {
    next: AtomicUsize,
    bundle: AtomicUsize,
    pace: watch::Sender<Pace>,
    acknowledged: Mutex<BTreeSet<usize>>,
    count: watch::Sender<usize>,
    /// Requests whose answer has not come yet.
    open: watch::Sender<usize>,
    /// To be sent again: the answer was lost, or a refusal.
    again: Mutex<BTreeSet<usize>>,
    /// Events of requests whose answer was lost with this host.
    lost: Mutex<Vec<usize>>,
}

/// Publishers at work against one host.
pub struct Running {
    all: Arc<Publishers>,
    tasks: JoinSet<()>,
}

impl Running {
    /// Comes back when all are done; their host may be gone. Events whose answer was lost with it.
    pub async fn stop(self) -> Vec<usize> {
        self.all.pace.send_replace(Pace::Stop);
        self.tasks.join_all().await;
        std::mem::take(&mut *lock(&self.all.lost))
    }
}

impl Publishers {
    /// From now on so many events go with one request.
    pub fn bundle(&self, count: usize) {
        self.bundle.store(count, Ordering::Relaxed);
    }

    /// From now on they go so fast.
    pub fn pace(&self, pace: Pace) {
        self.pace.send_replace(pace);
    }

    /// Publishes to a host.
    pub fn start(self: &Arc<Self>, client: &Client, pace: Pace) -> Running {
        self.pace(pace);
        let mut tasks = JoinSet::new();
        for _ in 0..PUBLISHERS {
            let (all, client) = (Arc::clone(self), client.clone());
            tasks.spawn(async move { all.work(&client).await });
        }
        Running { all: Arc::clone(self), tasks }
    }

    async fn work(&self, client: &Client) {
        let mut pace = self.pace.subscribe();
        while *pace.borrow_and_update() != Pace::Stop {
            let events = self.take();
            if !self.publish(client, &events).await {
                return;
            }
            if matches!(*pace.borrow_and_update(), Pace::Until(quota) if self.acknowledged() >= quota) {
                let pause = TRICKLE * u32::try_from(events.len()).expect("few");
                let _ = tokio::time::timeout(pause, pace.changed()).await; // whichever comes first
            }
        }
    }

    /// Publishes what is left, and what was never answered.
    pub async fn finish(self: &Arc<Self>, client: &Client, total: usize) {
        let running = self.start(client, Pace::Until(total));
        self.wait(total).await;
        let lost = running.stop().await;
        assert!(lost.is_empty(), "the host went away by itself");
        self.pace(Pace::Rush);
        while let Some(n) = { lock(&self.again).pop_first() } {
            assert!(self.publish(client, &[n]).await, "the host went away by itself");
        }
    }

    pub fn acknowledged(&self) -> usize {
        *self.count.borrow()
    }

    pub async fn wait(&self, count: usize) {
        self.count.subscribe().wait_for(|now| *now >= count).await.expect("publishers live");
    }

    /// Comes back while publishes are on their way; how many.
    pub async fn wait_open(&self) -> usize {
        *self.open.subscribe().wait_for(|open| *open > 0).await.expect("publishers live")
    }

    /// Requests whose answer has not come yet.
    pub fn open(&self) -> usize {
        *self.open.borrow()
    }

    /// All that were acknowledged.
    pub fn all(&self) -> BTreeSet<usize> {
        lock(&self.acknowledged).clone()
    }

    /// What goes next: first what was never answered, and never events of two tenants.
    fn take(&self) -> Vec<usize> {
        if let Some(again) = lock(&self.again).pop_first() {
            return vec![again];
        }
        if self.bundle.load(Ordering::Relaxed) == 1 {
            return vec![self.next.fetch_add(1, Ordering::Relaxed)];
        }
        // Up to the end of the tenant's turn.
        let turn = |n: usize| (n / BUNDLE + 1) * BUNDLE;
        let first = self.next.update(Ordering::Relaxed, Ordering::Relaxed, turn);
        (first..turn(first)).collect()
    }

    /// False if the host is gone. One that is asked again under its id must not become a second event.
    async fn publish(&self, client: &Client, events: &[usize]) -> bool {
        let bodies: Vec<_> = events.iter().map(|n| body(*n)).collect();
        let request = if let [one] = bodies.as_slice() { one.clone() } else { Value::Array(bodies) };
        loop {
            self.open.send_modify(|open| *open += 1);
            let (status, answer) = client.post("/v1/events", &request).await;
            self.open.send_modify(|open| *open -= 1);
            match status {
                // The host may die between the head of an answer and its end.
                202 if answer.is_object() => {
                    let answers = answer["events"].as_array().cloned().unwrap_or_else(|| vec![answer]);
                    assert_eq!(answers.len(), events.len());
                    events.iter().zip(&answers).for_each(|(n, answer)| self.acknowledge(*n, answer));
                    return true;
                }
                0 | 202 => {
                    lock(&self.lost).extend(events);
                    lock(&self.again).extend(events);
                    return false;
                }
                429 | 503 if *self.pace.borrow() == Pace::Stop => {
                    lock(&self.again).extend(events);
                    return true;
                }
                429 | 503 => tokio::time::sleep(BUSY).await,
                other => panic!("{other}: {answer}"),
            }
        }
    }

    fn acknowledge(&self, n: usize, answer: &Value) {
        assert_eq!(answer["deliveries"], COPIES, "{answer}");
        let new = lock(&self.acknowledged).insert(n);
        assert!(new, "e{n} was acknowledged twice");
        self.count.send_modify(|count| *count += 1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The event whose webhook this is; `None` if anything of what was published is missing or another.
pub fn carried(webhook: &[u8]) -> Option<usize> {
    let webhook: Value = serde_json::from_slice(webhook).ok()?;
    let n = usize::try_from(webhook["data"]["n"].as_u64()?).ok()?;
    (webhook["type"] == TYPE && webhook["data"] == data(n)).then_some(n)
}

const TYPE: &str = "order.created";

fn body(n: usize) -> Value {
    json!({"tenant": tenant(owner(n)), "type": TYPE, "id": format!("e{n}"), "data": data(n)})
}

/// Its end differs from event to event too.
pub fn data(n: usize) -> Value {
    json!({"n": n, "pad": "x".repeat(200), "z": format!("end of e{n}")})
}
