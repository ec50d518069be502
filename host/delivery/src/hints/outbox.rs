//! What the other hosts are to be told: gathered while a notification is on its way, so that one at a time is enough.

use crate::running::Shared;
use railhead_model::{DestinationNo, EventUid, TenantNo};
use railhead_store::hints::{Hint, SIGN_OF_LIFE_MS};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Between notifications: under load each costs the database a commit, and carries the more.
const PACE: Duration = Duration::from_millis(5);
/// Pause before a notification that failed is tried again, with what came meanwhile.
const AGAIN: Duration = Duration::from_millis(500);
/// More numbers than this are told as "anything": others then look at everything once.
const MANY: usize = 10_000;

/// Hints that wait for the notifier.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: Mutex<Waiting>,
    woken: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    work: BTreeSet<DestinationNo>,
    config: BTreeMap<TenantNo, BTreeSet<DestinationNo>>,
    probe: BTreeSet<DestinationNo>,
    erased: BTreeSet<EventUid>,
    keys: bool,
    shards: bool,
    jobs: bool,
    all: bool,
}

impl Outbox {
    /// Work of destinations that others own.
    pub fn work(&self, nos: &[DestinationNo]) {
        self.add(|waiting| waiting.work.extend(nos));
    }

    pub fn config(&self, tenant: TenantNo, nos: &[DestinationNo]) {
        self.add(|waiting| waiting.config.entry(tenant).or_default().extend(nos));
    }

    pub fn probe(&self, no: DestinationNo) {
        self.add(|waiting| _ = waiting.probe.insert(no));
    }

    pub fn keys(&self) {
        self.add(|waiting| waiting.keys = true);
    }

    pub fn erased(&self, uid: EventUid) {
        self.add(|waiting| _ = waiting.erased.insert(uid));
    }

    pub fn shards(&self) {
        self.add(|waiting| waiting.shards = true);
    }

    pub fn jobs(&self) {
        self.add(|waiting| waiting.jobs = true);
    }

    fn add(&self, add: impl FnOnce(&mut Waiting)) {
        let mut waiting = self.lock();
        add(&mut waiting);
        waiting.bound();
        drop(waiting);
        self.woken.notify_one();
    }

    /// What waits, once something does.
    async fn take(&self) -> Vec<Hint> {
        loop {
            let taken = std::mem::take(&mut *self.lock()).into_hints();
            if !taken.is_empty() {
                return taken;
            }
            self.woken.notified().await;
        }
    }

    /// It was not told.
    fn put_back(&self, hints: Vec<Hint>) {
        self.add(|waiting| hints.into_iter().for_each(|hint| waiting.put(hint)));
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn put(&mut self, hint: Hint) {
        match hint {
            Hint::Work(nos) => self.work.extend(nos),
            Hint::Config(tenant, nos) => self.config.entry(tenant).or_default().extend(nos),
            Hint::Probe(nos) => self.probe.extend(nos),
            Hint::Erased(uids) => self.erased.extend(uids),
            Hint::Keys => self.keys = true,
            Hint::Shards => self.shards = true,
            Hint::Jobs => self.jobs = true,
            Hint::All => self.all = true,
        }
    }

    fn bound(&mut self) {
        let config = self.config.len() + self.config.values().map(BTreeSet::len).sum::<usize>();
        if self.all || self.work.len() + self.probe.len() + self.erased.len() + config > MANY {
            *self = Self { all: true, ..Self::default() };
        }
    }

    fn into_hints(self) -> Vec<Hint> {
        let mut hints = Vec::new();
        if self.all {
            hints.push(Hint::All);
        }
        if !self.work.is_empty() {
            hints.push(Hint::Work(self.work.into_iter().collect()));
        }
        if !self.erased.is_empty() {
            hints.push(Hint::Erased(self.erased.into_iter().collect()));
        }
        let config = self.config.into_iter();
        hints.extend(config.map(|(tenant, nos)| Hint::Config(tenant, nos.into_iter().collect())));
        if !self.probe.is_empty() {
            hints.push(Hint::Probe(self.probe.into_iter().collect()));
        }
        hints.extend(self.keys.then_some(Hint::Keys));
        hints.extend(self.shards.then_some(Hint::Shards));
        hints.extend(self.jobs.then_some(Hint::Jobs));
        hints
    }
}

/// The notifier: one notification at a time, never inside a data transaction; a sign of life when there is nothing.
pub(crate) async fn speak(shared: Arc<Shared>) {
    let mut notifier = shared.store.notifier(shared.host);
    let mut failing = false;
    loop {
        let quiet = Duration::from_millis(SIGN_OF_LIFE_MS);
        let hints = tokio::time::timeout(quiet, shared.outbox.take()).await.unwrap_or_default();
        match notifier.notify(&hints).await {
            Ok(()) => {
                failing = false;
                tokio::time::sleep(PACE).await;
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "other hosts cannot be told now; they find everything by themselves, later");
                }
                shared.outbox.put_back(hints);
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_told_twice_is_told_once_and_what_failed_again() {
        let outbox = Outbox::default();
        outbox.work(&[DestinationNo(2), DestinationNo(1)]);
        outbox.work(&[DestinationNo(2)]);
        outbox.config(TenantNo(5), &[]);
        outbox.jobs();
        outbox.keys();
        outbox.probe(DestinationNo(3));
        let hints = outbox.take().await;
        let work = Hint::Work(vec![DestinationNo(1), DestinationNo(2)]);
        let probe = Hint::Probe(vec![DestinationNo(3)]);
        let told = [work, Hint::Config(TenantNo(5), vec![]), probe, Hint::Keys, Hint::Jobs];
        assert_eq!(hints, told);
        outbox.shards();
        outbox.put_back(hints);
        assert_eq!(outbox.take().await.len(), 6);
    }

    #[tokio::test]
    async fn too_much_is_told_as_anything_and_takes_no_memory() {
        let outbox = Outbox::default();
        for no in 0..3 * MANY as i64 {
            outbox.work(&[DestinationNo(no)]);
        }
        assert_eq!(outbox.take().await, [Hint::All]);
    }
}
