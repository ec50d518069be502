//! A store in memory that keeps every promise of the traits, for the simulation and for tests.
//!
//! [`ModelCore`] is plain and synchronous: a single-threaded simulation calls it without async, may clone it to read
//! an older state, and wraps it in whatever faults it likes. [`ModelStore`] shares one core behind the async traits.
//! Nothing in it iterates in hash order, reads a clock or draws random numbers: the same calls give the same answers.

mod accept;
mod delegate;
mod directory;
mod hints;
mod history;
mod jobs;
mod lease;
mod record;
mod tables;
mod work;

use crate::directory::{Answer, Destination, Environment, EventType, Key, Tenant};
use crate::history::AttemptRow;
use crate::work::StableBatch;
use crate::{StoreError, WorkRow};
use bytes::Bytes;
use railhead_model::{
    AttemptKey, DeliveryKey, DestinationNo, End, EnvironmentNo, EventUid, HostId, JobId, KeyId, ShardNo, TenantNo,
    Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tables::{Ended, EventRecord, HostRecord, ReplayRecord, ShardRecord, Waiting};

/// The model store behind the async traits. A clone is the same store.
#[derive(Clone, Debug, Default)]
pub struct ModelStore {
    core: Arc<Mutex<ModelCore>>,
    hints: hints::Channel,
}

impl ModelStore {
    /// An empty store that many hosts may join, like a server database.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store of one host at a time, like an embedded database: joining fences the predecessors.
    #[must_use]
    pub fn embedded() -> Self {
        Self { core: Arc::new(Mutex::new(ModelCore::embedded())), ..Self::default() }
    }

    /// The core. Each call on it is one transaction; hold it no longer than that.
    pub fn core(&self) -> MutexGuard<'_, ModelCore> {
        // A panic in a test while it was held leaves a whole state: every change happens after the checks.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All tables and every intent, synchronous. The methods have the names, the arguments and the promises of the traits.
#[derive(Clone, Debug, Default)]
pub struct ModelCore {
    embedded: bool,
    numbers: i64,
    meta: BTreeMap<String, Bytes>,
    environments: BTreeMap<EnvironmentNo, Environment>,
    keys: BTreeMap<KeyId, Key>,
    tenants: BTreeMap<TenantNo, Tenant>,
    destinations: BTreeMap<DestinationNo, Destination>,
    event_types: BTreeMap<(EnvironmentNo, String), EventType>,
    answers: BTreeMap<[u8; 32], (Timestamp, Answer)>,
    events: BTreeMap<EventUid, EventRecord>,
    idhs: BTreeMap<(i32, [u8; 16]), EventUid>,
    work: BTreeMap<DeliveryKey, Waiting>,
    due: BTreeSet<(DestinationNo, Timestamp, EventUid, u32)>,
    order: BTreeMap<(DestinationNo, i64), DeliveryKey>,
    last_seq: BTreeMap<DestinationNo, i64>,
    ended: BTreeMap<DeliveryKey, Ended>,
    attempts: BTreeMap<AttemptKey, AttemptRow>,
    /// Of requests that carried several deliveries, by owner. The rows that refer to them hold none.
    transcripts: BTreeMap<AttemptKey, Bytes>,
    batches: BTreeMap<(DestinationNo, u64), StableBatch>,
    fanouts: BTreeMap<EventUid, Option<DestinationNo>>,
    replays: BTreeMap<JobId, ReplayRecord>,
    hosts: BTreeMap<HostId, HostRecord>,
    shards: BTreeMap<ShardNo, ShardRecord>,
}

impl ModelCore {
    /// See [`ModelStore::new`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// See [`ModelStore::embedded`].
    #[must_use]
    pub fn embedded() -> Self {
        Self { embedded: true, ..Self::default() }
    }

    /// Every unfinished delivery, by key: for the checks of a simulation.
    pub fn unfinished(&self) -> impl Iterator<Item = &WorkRow> {
        self.work.values().map(|waiting| &waiting.row)
    }

    /// Every ended delivery with its end, by key.
    pub fn ends(&self) -> impl Iterator<Item = (DeliveryKey, End)> + '_ {
        self.ended.iter().map(|(key, ended)| (*key, ended.end))
    }

    /// The end of a delivery, once it has one.
    #[must_use]
    pub fn end_of(&self, key: DeliveryKey) -> Option<End> {
        self.ended.get(&key).map(|ended| ended.end)
    }

    /// An unfinished delivery.
    #[must_use]
    pub fn work_of(&self, key: DeliveryKey) -> Option<&WorkRow> {
        self.work.get(&key).map(|waiting| &waiting.row)
    }

    /// True if the event is stored.
    #[must_use]
    pub fn has_event(&self, uid: EventUid) -> bool {
        self.events.contains_key(&uid)
    }

    /// True while some of the event's deliveries are not made yet.
    #[must_use]
    pub fn in_fanout(&self, uid: EventUid) -> bool {
        self.fanouts.contains_key(&uid)
    }

    /// The host that owns a shard, with the epoch of its ownership.
    #[must_use]
    pub fn owner(&self, shard: ShardNo) -> Option<(HostId, i64)> {
        let record = self.shards.get(&shard)?;
        record.owner.map(|host| (host, record.epoch))
    }

    fn next_number(&mut self) -> i64 {
        self.numbers += 1;
        self.numbers
    }

    fn unfenced(&self, host: HostId) -> Result<(), StoreError> {
        match self.hosts.get(&host) {
            Some(record) if !record.fenced => Ok(()),
            _ => Err(StoreError::Fenced),
        }
    }
}
