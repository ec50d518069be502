//! Publishers: what was acknowledged, and what must be asked again because the answer was lost.

use crate::plan::{BUNDLE, COPIES, owner, tenant};
use railhead_harness::Client;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

const PUBLISHERS: usize = 16;
/// Between the events of a publisher once the quota is reached: a kill still finds accepts on their way.
const TRICKLE: Duration = Duration::from_millis(20);
/// Before the next try where the host was busy.
const BUSY: Duration = Duration::from_millis(10);

/// What all publishers of a run share. The n-th event has the id `e<n>`.
#[derive(Default)]
pub struct Publishers {
    next: AtomicUsize,
    bundle: AtomicUsize,
    acknowledged: Mutex<BTreeSet<usize>>,
    count: watch::Sender<usize>,
    /// Sent, and the answer was lost with its host.
    unanswered: Mutex<BTreeSet<usize>>,
}

/// Publishers at work against one host.
pub struct Running {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

impl Running {
    /// Comes back when all are done; their host may be gone.
    pub async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.tasks.join_all().await;
    }
}

impl Publishers {
    /// From now on so many events go with one request.
    pub fn bundle(&self, count: usize) {
        self.bundle.store(count, Ordering::Relaxed);
    }

    /// Publishes to a host as fast as it goes until `quota` are acknowledged in all, then slowly.
    pub fn start(self: &Arc<Self>, client: &Client, quota: usize) -> Running {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for _ in 0..PUBLISHERS {
            let (all, client, stop) = (Arc::clone(self), client.clone(), Arc::clone(&stop));
            tasks.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let events = all.take();
                    if !all.publish(&client, &events, &stop).await {
                        return;
                    }
                    if all.acknowledged() >= quota {
                        tokio::time::sleep(TRICKLE * u32::try_from(events.len()).expect("few")).await;
                    }
                }
            });
        }
        Running { stop, tasks }
    }

    /// Publishes what is left, and what was never answered.
    pub async fn finish(self: &Arc<Self>, client: &Client, total: usize) {
        let running = self.start(client, total);
        self.wait(total).await;
        running.stop().await;
        let never = AtomicBool::new(false);
        let left: Vec<_> = std::mem::take(&mut *self.unanswered()).into_iter().collect();
        for n in left {
            assert!(self.publish(client, &[n], &never).await, "the host went away by itself");
        }
    }

    pub fn acknowledged(&self) -> usize {
        *self.count.borrow()
    }

    pub async fn wait(&self, count: usize) {
        let enough = self.count.subscribe().wait_for(|now| *now >= count).await.is_ok();
        assert!(enough, "publishers are gone");
    }

    /// All that were acknowledged.
    pub fn all(&self) -> BTreeSet<usize> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What goes next: first what was never answered, and never events of two tenants.
    fn take(&self) -> Vec<usize> {
        if let Some(again) = self.unanswered().pop_first() {
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
    async fn publish(&self, client: &Client, events: &[usize], stop: &AtomicBool) -> bool {
        let bodies: Vec<_> = events.iter().map(|n| body(*n)).collect();
        let request = if let [one] = bodies.as_slice() { one.clone() } else { Value::Array(bodies) };
        loop {
            let (status, answer) = client.post("/v1/events", &request).await;
            match status {
                202 => {
                    let answers = answer["events"].as_array().cloned().unwrap_or_else(|| vec![answer]);
                    assert_eq!(answers.len(), events.len());
                    events.iter().zip(&answers).for_each(|(n, answer)| self.acknowledge(*n, answer));
                    return true;
                }
                429 | 503 if !stop.load(Ordering::Relaxed) => tokio::time::sleep(BUSY).await,
                0 | 429 | 503 => {
                    self.unanswered().extend(events);
                    return status != 0;
                }
                other => panic!("{other}: {answer}"),
            }
        }
    }

    fn acknowledge(&self, n: usize, answer: &Value) {
        assert_eq!(answer["deliveries"], COPIES, "{answer}");
        let new = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).insert(n);
        assert!(new, "e{n} was acknowledged twice");
        self.count.send_modify(|count| *count += 1);
    }

    fn unanswered(&self) -> std::sync::MutexGuard<'_, BTreeSet<usize>> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn body(n: usize) -> Value {
    let data = json!({"n": n, "pad": "x".repeat(200)});
    json!({"tenant": tenant(owner(n)), "type": "order.created", "id": format!("e{n}"), "data": data})
}
