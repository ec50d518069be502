//! Who may come in: the accept queue's bounds, and each tenant's share of it. Pure but for its lock.
//!
//! What waits for its commit is bounded in bytes, and in the wait that it makes. While less than half of either is
//! taken, everybody comes in. Above, a tenant that has more than its share is turned away, and the rest of the room is
//! there for the others. At the end everybody is turned away.

use crate::draft::Overloaded;
use crate::measures;
use railhead_model::TenantNo;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Bytes.
    pub bytes: usize,
    /// The expected wait for a commit, in milliseconds.
    pub wait_ms: u64,
    /// Events of one commit.
    pub batch: usize,
}

/// Events, and what they occupy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub events: usize,
    pub bytes: usize,
}

/// What a publish got.
#[derive(Debug)]
pub(crate) struct Entered {
    /// Holds the room of what came in, until it is dropped.
    pub ticket: Ticket,
    /// Tenants that are over their share: nothing of theirs came in.
    pub over_share: BTreeSet<TenantNo>,
    /// When these may come again, in seconds.
    pub retry_after_s: u32,
}

/// The room that events hold in the queue.
#[derive(Debug)]
pub(crate) struct Ticket {
    admission: Arc<Admission>,
    held: BTreeMap<TenantNo, Load>,
}

/// The queue's door.
#[derive(Debug)]
pub(crate) struct Admission {
    bounds: Bounds,
    waiting: Mutex<Waiting>,
}

/// Commits that run side by side.
const COMMITS: u64 = 2;
/// Commits that the average looks back on.
const AVERAGE: u64 = 16;
/// A commit that takes longer is no hiccup of a disk: the store stalls, and what comes now will wait as long.
const STALLED_MS: u64 = 2_000;
/// A tenant that published within so long has a share, whether or not something of it waits now.
const ACTIVE_MS: u64 = 10_000;
/// Tenants that do not publish any more are forgotten so often.
const SWEEP_MS: u64 = 1_000;
/// Of so many parts, a tenant that publishes alone leaves one free for whoever comes next.
const PARTS: usize = 8;

/// What waits now, whose it is, and how long commits take.
#[derive(Debug, Default)]
struct Waiting {
    all: Load,
    tenants: HashMap<TenantNo, Tenant>,
    /// Moving average of a commit's duration, in sixteenths of a millisecond.
    commit_ms: u64,
    /// When the commits that run now began, by a number of their own.
    running: BTreeMap<u64, u64>,
    commits: u64,
    swept_ms: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tenant {
    held: Load,
    asked_ms: u64,
}

impl Admission {
    pub fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self { bounds, waiting: Mutex::default() })
    }

    /// Whether anything may come in at all: asked before the work of routing and sealing is spent.
    ///
    /// # Errors
    /// [`Overloaded::Busy`].
    pub fn look(&self, now_ms: u64) -> Result<(), Overloaded> {
        self.turned_away(self.lock().busy(self.bounds, now_ms, 0))
    }

    /// Lets in what may come in, tenant by tenant.
    ///
    /// # Errors
    /// [`Overloaded::Busy`]: nothing came in.
    pub fn enter(self: &Arc<Self>, now_ms: u64, mut asks: BTreeMap<TenantNo, Load>) -> Result<Entered, Overloaded> {
        let mut waiting = self.lock();
        let asked = asks.values().map(|ask| ask.bytes).sum();
        self.turned_away(waiting.busy(self.bounds, now_ms, asked))?;
        waiting.sweep(now_ms);
        let over_share = waiting.over_share(self.bounds, now_ms, &asks);
        asks.retain(|tenant, _| !over_share.contains(tenant));
        waiting.hold(&asks);
        let retry_after_s = seconds(waiting.wait_ms(self.bounds, now_ms));
        if !over_share.is_empty() {
            metrics::counter!(measures::TURNED_AWAY, "why" => "share").increment(1);
        }
        Ok(Entered { ticket: self.ticket(asks), over_share, retry_after_s })
    }

    /// Holds room for what came in before and has to wait again.
    pub fn again(self: &Arc<Self>, asks: BTreeMap<TenantNo, Load>) -> Ticket {
        self.lock().hold(&asks);
        self.ticket(asks)
    }

    /// A commit begins; its number.
    pub fn began(&self, now_ms: u64) -> u64 {
        let mut waiting = self.lock();
        waiting.commits += 1;
        let no = waiting.commits;
        waiting.running.insert(no, now_ms);
        no
    }

    /// A commit is over; how long it took, in milliseconds.
    pub fn ended(&self, no: u64, now_ms: u64) -> u64 {
        let mut waiting = self.lock();
        let took = waiting.running.remove(&no).map_or(0, |began| now_ms.saturating_sub(began));
        waiting.commit_ms = waiting.commit_ms - waiting.commit_ms / AVERAGE + took;
        took
    }

    /// What waits.
    pub fn load(&self) -> Load {
        self.lock().all
    }

    fn ticket(self: &Arc<Self>, held: BTreeMap<TenantNo, Load>) -> Ticket {
        Ticket { admission: Arc::clone(self), held }
    }

    fn turned_away(&self, busy: Option<u64>) -> Result<(), Overloaded> {
        let Some(wait_ms) = busy else { return Ok(()) };
        metrics::counter!(measures::TURNED_AWAY, "why" => "busy").increment(1);
        Err(Overloaded::Busy { retry_after_s: seconds(wait_ms) })
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.admission.lock().release(&self.held);
    }
}

impl Waiting {
    /// The expected wait if it, or what waits, is too much. One publish always has room in an empty queue.
    fn busy(&self, bounds: Bounds, now_ms: u64, asked: usize) -> Option<u64> {
        let wait_ms = self.wait_ms(bounds, now_ms);
        let full = self.all.events > 0 && self.all.bytes.saturating_add(asked.max(1)) > bounds.bytes;
        (full || wait_ms > bounds.wait_ms).then_some(wait_ms)
    }

    /// Tenants that have something waiting already, and with this more than their share. Nobody while half is free.
    fn over_share(&mut self, bounds: Bounds, now_ms: u64, asks: &BTreeMap<TenantNo, Load>) -> BTreeSet<TenantNo> {
        for tenant in asks.keys() {
            self.tenants.entry(*tenant).or_default().asked_ms = now_ms;
        }
        let half_taken = self.all.bytes >= bounds.bytes / 2 || self.wait_ms(bounds, now_ms) > bounds.wait_ms / 2;
        if !half_taken {
            return BTreeSet::new();
        }
        let (events, bytes) = (self.share(self.most_events(bounds, now_ms)), self.share(bounds.bytes));
        let is_over = |tenant: &TenantNo, ask: &Load| {
            let held = self.tenants.get(tenant).map(|tenant| tenant.held).unwrap_or_default();
            held.events > 0 && (held.events + ask.events > events || held.bytes + ask.bytes > bytes)
        };
        asks.iter().filter(|(tenant, ask)| is_over(tenant, ask)).map(|(tenant, _)| *tenant).collect()
    }

    /// One tenant's part of what may wait.
    fn share(&self, whole: usize) -> usize {
        (whole / self.tenants.len().max(1)).min(whole / PARTS * (PARTS - 1))
    }

    /// What an event that comes now waits for its commit, in milliseconds.
    fn wait_ms(&self, bounds: Bounds, now_ms: u64) -> u64 {
        let batches = self.all.events.div_ceil(bounds.batch.max(1)) as u64;
        batches * self.one_commit_ms(now_ms) / COMMITS
    }

    /// So many events make the longest wait that is allowed.
    fn most_events(&self, bounds: Bounds, now_ms: u64) -> usize {
        let commits = (bounds.wait_ms * COMMITS).checked_div(self.one_commit_ms(now_ms));
        let commits = commits.map_or(usize::MAX, |commits| usize::try_from(commits).unwrap_or(usize::MAX));
        commits.saturating_mul(bounds.batch)
    }

    /// The average; while the store stalls, the age of the oldest commit that runs.
    fn one_commit_ms(&self, now_ms: u64) -> u64 {
        let oldest = self.running.values().min().map_or(0, |began| now_ms.saturating_sub(*began));
        let average = self.commit_ms / AVERAGE;
        if oldest > STALLED_MS { oldest.max(average) } else { average }
    }

    fn hold(&mut self, asks: &BTreeMap<TenantNo, Load>) {
        for (tenant, ask) in asks {
            let held = &mut self.tenants.entry(*tenant).or_default().held;
            for load in [held, &mut self.all] {
                load.events += ask.events;
                load.bytes += ask.bytes;
            }
        }
    }

    fn release(&mut self, held: &BTreeMap<TenantNo, Load>) {
        for (tenant, gone) in held {
            // Who holds something is not forgotten.
            let tenant = self.tenants.get_mut(tenant).map(|tenant| &mut tenant.held);
            for load in tenant.into_iter().chain([&mut self.all]) {
                load.events = load.events.saturating_sub(gone.events);
                load.bytes = load.bytes.saturating_sub(gone.bytes);
            }
        }
    }

    fn sweep(&mut self, now_ms: u64) {
        if now_ms.saturating_sub(self.swept_ms) >= SWEEP_MS {
            self.swept_ms = now_ms;
            let is_active = |one: &Tenant| one.held.events > 0 || now_ms.saturating_sub(one.asked_ms) < ACTIVE_MS;
            self.tenants.retain(|_, tenant| is_active(tenant));
        }
    }
}

fn seconds(wait_ms: u64) -> u32 {
    u32::try_from(wait_ms.div_ceil(1_000)).unwrap_or(60).clamp(1, 60)
}

#[cfg(test)]
#[path = "admission/tests.rs"]
mod tests;
