//! The model store, with commits that can be held, refused, or lost after they were done.

use async_trait::async_trait;
use bytes::Bytes;
use railhead_model::{
    DeliveryKey, DeliveryState, DestinationId, DestinationNo, EnvironmentNo, EventUid, HostId, JobId, Origin, ShardNo,
    TenantId, TenantNo, Timestamp,
};
use railhead_store::directory::{
    Answer, Destination, Directory, Environment, EventType, Expect, Key, Standing, Tenant,
};
use railhead_store::hints::{Hints, Listener, Notifier};
use railhead_store::history::{AttemptRow, DeliveryFilter, DeliveryRow, EventFilter, EventRow, History, Page};
use railhead_store::jobs::{Jobs, NewReplay, Replay, Stepped};
use railhead_store::lease::{Leases, Owned};
use railhead_store::model::ModelStore;
use railhead_store::work::{Command, Commanded, Health, RefillAnswer, RefillAsk, StableBatch, StoredEvent, WorkStore};
use railhead_store::{Accept, Accepted, NewEvent, Record, RecordAnswer, Recording, Started, StoreError};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// What goes wrong with one call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is not done.
    Before(StoreError),
    /// It is done, and the answer is lost.
    After(StoreError),
}

/// What events of one tenant meet when they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Its configuration is being written, whenever it is not waited for.
    Busy,
    /// Its configuration changed, each time anew.
    Stale,
    /// The whole batch fails.
    Damaged,
}

/// A door: open until a test closes it.
#[derive(Clone, Debug)]
pub struct Gate(watch::Sender<bool>);

impl Default for Gate {
    fn default() -> Self {
        Self(watch::Sender::new(true))
    }
}

impl Gate {
    pub fn close(&self) {
        self.0.send_replace(false);
    }

    pub fn open(&self) {
        self.0.send_replace(true);
    }

    pub async fn pass(&self) {
        self.0.subscribe().wait_for(|open| *open).await.expect("there");
    }
}

/// A clone is the same store.
#[derive(Clone)]
pub struct FaultyStore {
    pub inner: ModelStore,
    /// Accept commits wait while it is closed.
    pub accepts: Gate,
    /// Renewals wait while it is closed.
    pub renewals: Gate,
    /// Faults of the next accepts.
    pub accept_faults: Arc<Mutex<VecDeque<Fault>>>,
    /// Faults of the next records.
    pub record_faults: Arc<Mutex<VecDeque<Fault>>>,
    /// Faults of the next releases of shards.
    pub release_faults: Arc<Mutex<VecDeque<Fault>>>,
    /// A shard with a destination that cannot be decoded.
    pub damaged: Arc<Mutex<Option<ShardNo>>>,
    /// Counts changes, so that tests need not poll.
    pub changed: watch::Sender<u64>,
    /// Sizes of accept batches, as they were sent.
    pub batches: Arc<Mutex<Vec<usize>>>,
    /// Tenants whose events meet trouble.
    pub troubles: Arc<Mutex<BTreeMap<TenantNo, Trouble>>>,
    /// Those that wait for their tenant wait while it is closed.
    pub patience: Gate,
    /// Sizes of batches that wait for their tenant.
    pub patient: Arc<Mutex<Vec<usize>>>,
    /// What was read by number.
    pub read: Arc<Mutex<Vec<DestinationNo>>>,
    /// Starts are put on record only while it is open.
    pub starting: Gate,
    /// How many starts each statement had, as it was sent.
    pub starts: Arc<Mutex<Vec<usize>>>,
}

impl FaultyStore {
    pub fn new(inner: ModelStore) -> Self {
        Self {
            inner,
            accepts: Gate::default(),
            renewals: Gate::default(),
            accept_faults: Arc::default(),
            record_faults: Arc::default(),
            release_faults: Arc::default(),
            damaged: Arc::default(),
            changed: watch::Sender::new(0),
            batches: Arc::default(),
            troubles: Arc::default(),
            patience: Gate::default(),
            patient: Arc::default(),
            read: Arc::default(),
            starting: Gate::default(),
            starts: Arc::default(),
        }
    }

    fn run<T>(&self, fault: Option<Fault>, call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let answer = match fault {
            None => call(),
            Some(Fault::Before(error)) => Err(error),
            Some(Fault::After(error)) => call().and(Err(error)),
        };
        self.changed.send_modify(|count| *count += 1);
        answer
    }
}

impl FaultyStore {
    fn accept_untroubled(&self, batch: &[NewEvent], patient: bool) -> Result<Vec<Accepted>, StoreError> {
        let troubles = self.troubles.lock().expect("whole").clone();
        let trouble = |event: &NewEvent| {
            troubles.get(&event.tenant).copied().filter(|trouble| !patient || *trouble != Trouble::Busy)
        };
        if batch.iter().any(|event| trouble(event) == Some(Trouble::Damaged)) {
            return Err(StoreError::Damaged("an event".into()));
        }
        let rest: Vec<_> = batch.iter().filter(|event| trouble(event).is_none()).cloned().collect();
        let mut answers = self.inner.core().accept(&rest)?.into_iter();
        let answer = |event: &NewEvent| match trouble(event) {
            Some(Trouble::Busy) => Accepted::Busy,
            Some(Trouble::Stale) => Accepted::Stale,
            _ => answers.next().expect("an answer"),
        };
        Ok(batch.iter().map(answer).collect())
    }
}

#[async_trait]
impl Accept for FaultyStore {
    async fn accept(&self, batch: &[NewEvent]) -> Result<Vec<Accepted>, StoreError> {
        self.batches.lock().expect("whole").push(batch.len());
        self.accepts.pass().await;
        let fault = self.accept_faults.lock().expect("whole").pop_front();
        self.run(fault, || self.accept_untroubled(batch, false))
    }
    async fn accept_patiently(&self, batch: &[NewEvent]) -> Result<Vec<Accepted>, StoreError> {
        self.patient.lock().expect("whole").push(batch.len());
        self.patience.pass().await;
        self.run(None, || self.accept_untroubled(batch, true))
    }
}

#[async_trait]
impl Record for FaultyStore {
    async fn record(&self, host: HostId, batch: &[Recording]) -> Result<Vec<RecordAnswer>, StoreError> {
        let fault = self.record_faults.lock().expect("whole").pop_front();
        self.run(fault, || self.inner.core().record(host, batch))
    }
    async fn start(&self, host: HostId, deliveries: &[DeliveryKey], alone: bool) -> Result<Vec<Started>, StoreError> {
        self.starts.lock().expect("whole").push(deliveries.len());
        self.starting.pass().await;
        self.run(None, || self.inner.core().start(host, deliveries, alone))
    }
    async fn unstart(&self, host: HostId, deliveries: &[DeliveryKey]) -> Result<(), StoreError> {
        self.run(None, || self.inner.core().unstart(host, deliveries))
    }
}

#[async_trait]
impl WorkStore for FaultyStore {
    async fn refill(&self, asks: &[RefillAsk]) -> Result<Vec<RefillAnswer>, StoreError> {
        self.inner.core().refill(asks)
    }
    async fn survey(&self, destinations: &[DestinationNo]) -> Result<Vec<(DestinationNo, Timestamp)>, StoreError> {
        self.inner.core().survey(destinations)
    }
    async fn payloads(&self, uids: &[EventUid]) -> Result<Vec<StoredEvent>, StoreError> {
        self.inner.core().payloads(uids)
    }
    async fn command(&self, key: DeliveryKey, command: Command, now: Timestamp) -> Result<Commanded, StoreError> {
        self.inner.core().command(key, command, now)
    }
    async fn redeliver(&self, key: DeliveryKey, origin: Origin, now: Timestamp) -> Result<DeliveryKey, StoreError> {
        self.inner.core().redeliver(key, origin, now)
    }
    async fn save_health(&self, host: HostId, health: &[(DestinationNo, Health)]) -> Result<(), StoreError> {
        self.inner.core().save_health(host, health)
    }
    async fn open_batches(&self, host: HostId, batches: &[StableBatch]) -> Result<(), StoreError> {
        self.inner.core().open_batches(host, batches)
    }
    async fn batches(&self, destinations: &[DestinationNo]) -> Result<Vec<StableBatch>, StoreError> {
        self.inner.core().batches(destinations)
    }
    async fn close_batch(&self, host: HostId, destination: DestinationNo, number: u64) -> Result<(), StoreError> {
        self.inner.core().close_batch(host, destination, number)
    }
    async fn waiting(&self, destinations: &[DestinationNo], cap: u32) -> Result<Vec<(DestinationNo, u32)>, StoreError> {
        self.inner.core().waiting(destinations, cap)
    }
}

#[async_trait]
impl Leases for FaultyStore {
    async fn join(&self, host: HostId, now: Timestamp) -> Result<(), StoreError> {
        self.inner.core().join(host, now)
    }
    async fn renew(&self, host: HostId, now: Timestamp) -> Result<Owned, StoreError> {
        self.renewals.pass().await;
        self.inner.core().renew(host, now)
    }
    async fn take_over(&self, host: HostId, now: Timestamp) -> Result<Owned, StoreError> {
        self.run(None, || self.inner.core().take_over(host, now))
    }
    async fn release(&self, host: HostId, shards: &[ShardNo]) -> Result<(), StoreError> {
        let fault = self.release_faults.lock().expect("whole").pop_front();
        self.run(fault, || self.inner.core().release(host, shards))
    }
    async fn leave(&self, host: HostId) -> Result<(), StoreError> {
        self.run(None, || self.inner.core().leave(host))
    }
}

impl Hints for FaultyStore {
    fn notifier(&self, host: HostId) -> Box<dyn Notifier> {
        self.inner.notifier(host)
    }
    fn listener(&self, host: HostId) -> Box<dyn Listener> {
        self.inner.listener(host)
    }
}

#[async_trait]
impl Jobs for FaultyStore {
    async fn start_replay(&self, replay: &NewReplay) -> Result<(), StoreError> {
        self.inner.core().start_replay(replay)
    }
    async fn replay(&self, tenant: TenantNo, id: JobId) -> Result<Option<Replay>, StoreError> {
        self.inner.core().replay(tenant, id)
    }
    async fn replays(&self, tenant: TenantNo, before: Option<JobId>, limit: u32) -> Result<Vec<Replay>, StoreError> {
        self.inner.core().replays(tenant, before, limit)
    }
    async fn cancel_replay(&self, tenant: TenantNo, id: JobId, now: Timestamp) -> Result<bool, StoreError> {
        self.inner.core().cancel_replay(tenant, id, now)
    }
    async fn step_replay(&self, now: Timestamp) -> Result<Stepped, StoreError> {
        self.inner.core().step_replay(now)
    }
    async fn step_fanout(&self, now: Timestamp) -> Result<Stepped, StoreError> {
        self.inner.core().step_fanout(now)
    }
    async fn step_expiry(&self, before: Timestamp, now: Timestamp) -> Result<Stepped, StoreError> {
        self.inner.core().step_expiry(before, now)
    }
    async fn step_retention(&self, before: Timestamp) -> Result<Stepped, StoreError> {
        self.inner.core().step_retention(before)
    }
}

#[async_trait]
impl Directory for FaultyStore {
    async fn meta(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        self.inner.core().meta(name)
    }
    async fn put_meta(&self, name: &str, value: &[u8]) -> Result<Bytes, StoreError> {
        self.inner.core().put_meta(name, value)
    }
    async fn replace_meta(&self, name: &str, old: &[u8], new: &[u8]) -> Result<bool, StoreError> {
        self.inner.core().replace_meta(name, old, new)
    }
    async fn replace_wrapped_key(&self, tenant: TenantNo, old: &[u8], new: &[u8]) -> Result<bool, StoreError> {
        self.inner.core().replace_wrapped_key(tenant, old, new)
    }
    async fn environments(&self) -> Result<Vec<Environment>, StoreError> {
        self.inner.core().environments()
    }
    async fn put_environment(
        &self,
        name: &str,
        settings: &serde_json::Value,
        expect: Expect,
    ) -> Result<Environment, StoreError> {
        self.inner.core().put_environment(name, settings, expect)
    }
    async fn key_by_hash(&self, hash: &[u8; 32]) -> Result<Option<Key>, StoreError> {
        self.inner.core().key_by_hash(hash)
    }
    async fn put_key(&self, key: &Key) -> Result<(), StoreError> {
        self.inner.core().put_key(key)
    }
    async fn keys(&self, environment: Option<EnvironmentNo>) -> Result<Vec<Key>, StoreError> {
        self.inner.core().keys(environment)
    }
    async fn tenant(&self, environment: EnvironmentNo, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        self.inner.core().tenant(environment, id)
    }
    async fn tenants_by_no(&self, nos: &[TenantNo]) -> Result<Vec<Tenant>, StoreError> {
        self.inner.core().tenants_by_no(nos)
    }
    async fn tenants(
        &self,
        environment: EnvironmentNo,
        after: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<Tenant>, StoreError> {
        self.inner.core().tenants(environment, after, limit)
    }
    async fn put_tenant(&self, tenant: &Tenant, expect: Expect) -> Result<Tenant, StoreError> {
        self.inner.core().put_tenant(tenant, expect)
    }
    async fn delete_tenant(&self, no: TenantNo) -> Result<bool, StoreError> {
        self.inner.core().delete_tenant(no)
    }
    async fn destination(&self, tenant: TenantNo, id: &DestinationId) -> Result<Option<Destination>, StoreError> {
        self.inner.core().destination(tenant, id)
    }
    async fn destinations(&self, tenant: TenantNo) -> Result<Vec<Destination>, StoreError> {
        self.inner.core().destinations(tenant)
    }
    async fn destinations_page(
        &self,
        tenant: TenantNo,
        before: Option<DestinationNo>,
        limit: u32,
    ) -> Result<Vec<Destination>, StoreError> {
        self.inner.core().destinations_page(tenant, before, limit)
    }
    async fn standings(
        &self,
        tenant: TenantNo,
        before: Option<DestinationNo>,
        limit: u32,
    ) -> Result<Vec<Standing>, StoreError> {
        self.inner.core().standings(tenant, before, limit)
    }
    async fn destinations_by_no(&self, nos: &[DestinationNo]) -> Result<Vec<Destination>, StoreError> {
        self.read.lock().expect("whole").extend(nos);
        self.inner.core().destinations_by_no(nos)
    }
    async fn destinations_of(
        &self,
        shards: &[ShardNo],
        after: Option<DestinationNo>,
        limit: u32,
    ) -> Result<Vec<Destination>, StoreError> {
        if self.damaged.lock().expect("whole").is_some_and(|no| shards.contains(&no)) {
            return Err(StoreError::Damaged("a destination".into()));
        }
        self.inner.core().destinations_of(shards, after, limit)
    }
    async fn next_destination_no(&self) -> Result<DestinationNo, StoreError> {
        self.inner.core().next_destination_no()
    }
    async fn put_destination(&self, destination: &Destination, expect: Expect) -> Result<Destination, StoreError> {
        self.inner.core().put_destination(destination, expect)
    }
    async fn delete_destination(
        &self,
        tenant: TenantNo,
        id: &DestinationId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.inner.core().delete_destination(tenant, id, now)
    }
    async fn event_type(&self, environment: EnvironmentNo, name: &str) -> Result<Option<EventType>, StoreError> {
        self.inner.core().event_type(environment, name)
    }
    async fn event_types(
        &self,
        environment: EnvironmentNo,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<EventType>, StoreError> {
        self.inner.core().event_types(environment, after, limit)
    }
    async fn put_event_type(
        &self,
        environment: EnvironmentNo,
        name: &str,
        body: &serde_json::Value,
        now: Timestamp,
        expect: Expect,
    ) -> Result<EventType, StoreError> {
        self.inner.core().put_event_type(environment, name, body, now, expect)
    }
    async fn delete_event_type(&self, environment: EnvironmentNo, name: &str) -> Result<bool, StoreError> {
        self.inner.core().delete_event_type(environment, name)
    }
    async fn answer(&self, scope: &[u8; 32], now: Timestamp) -> Result<Option<Answer>, StoreError> {
        self.inner.core().answer(scope, now)
    }
    async fn put_answer(&self, scope: &[u8; 32], answer: &Answer, now: Timestamp) -> Result<(), StoreError> {
        self.inner.core().put_answer(scope, answer, now)
    }
}

#[async_trait]
impl History for FaultyStore {
    async fn event(&self, tenant: TenantNo, uid: EventUid) -> Result<Option<EventRow>, StoreError> {
        self.inner.core().event(tenant, uid)
    }
    async fn event_by_id(&self, tenant: TenantNo, id: &str) -> Result<Option<EventRow>, StoreError> {
        self.inner.core().event_by_id(tenant, id)
    }
    async fn events(
        &self,
        tenant: TenantNo,
        filter: &EventFilter,
        before: Option<EventUid>,
        limit: u32,
    ) -> Result<Page<EventRow, EventUid>, StoreError> {
        self.inner.core().events(tenant, filter, before, limit)
    }
    async fn deliveries_of(&self, tenant: TenantNo, uid: EventUid) -> Result<Vec<DeliveryRow>, StoreError> {
        self.inner.core().deliveries_of(tenant, uid)
    }
    async fn delivery(&self, tenant: TenantNo, key: DeliveryKey) -> Result<Option<DeliveryRow>, StoreError> {
        self.inner.core().delivery(tenant, key)
    }
    async fn deliveries(
        &self,
        tenant: TenantNo,
        filter: &DeliveryFilter,
        before: Option<DeliveryKey>,
        limit: u32,
    ) -> Result<Page<DeliveryRow, DeliveryKey>, StoreError> {
        self.inner.core().deliveries(tenant, filter, before, limit)
    }
    async fn attempts(&self, tenant: TenantNo, key: DeliveryKey) -> Result<Vec<AttemptRow>, StoreError> {
        self.inner.core().attempts(tenant, key)
    }
    async fn payload(&self, tenant: TenantNo, uid: EventUid) -> Result<Option<Bytes>, StoreError> {
        self.inner.core().payload(tenant, uid)
    }
    async fn erase_payload(&self, tenant: TenantNo, uid: EventUid) -> Result<bool, StoreError> {
        self.inner.core().erase_payload(tenant, uid)
    }
    async fn counts(&self, tenant: TenantNo, cap: u32) -> Result<Vec<(DeliveryState, u64)>, StoreError> {
        self.inner.core().counts(tenant, cap)
    }
}
