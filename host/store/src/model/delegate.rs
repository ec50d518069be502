//! The async traits over the shared core: each call is one transaction.

use super::ModelStore;
use crate::StoreError;
use crate::accept::{Accept, Accepted, NewEvent};
use crate::directory::{Answer, Destination, Directory, Environment, EventType, Expect, Key, Standing, Tenant};
use crate::history::{AttemptRow, DeliveryFilter, DeliveryRow, EventFilter, EventRow, History, Page};
use crate::jobs::{Jobs, NewReplay, Replay, Stepped};
use crate::lease::{Leases, Owned};
use crate::record::{Record, RecordAnswer, Recording, Started};
use crate::work::{Command, Commanded, Health, RefillAnswer, RefillAsk, StableBatch, StoredEvent, WorkStore};
use async_trait::async_trait;
use bytes::Bytes;
use railhead_model::{
    DeliveryKey, DeliveryState, DestinationId, DestinationNo, EnvironmentNo, EventUid, HostId, JobId, Origin, ShardNo,
    TenantId, TenantNo, Timestamp,
};

#[async_trait]
impl Accept for ModelStore {
    async fn accept(&self, batch: &[NewEvent]) -> Result<Vec<Accepted>, StoreError> {
        self.core().accept(batch)
    }
}

#[async_trait]
impl Record for ModelStore {
    async fn record(&self, host: HostId, batch: &[Recording]) -> Result<Vec<RecordAnswer>, StoreError> {
        self.core().record(host, batch)
    }
    async fn start(&self, host: HostId, deliveries: &[DeliveryKey], alone: bool) -> Result<Vec<Started>, StoreError> {
        self.core().start(host, deliveries, alone)
    }
    async fn unstart(&self, host: HostId, deliveries: &[DeliveryKey]) -> Result<(), StoreError> {
        self.core().unstart(host, deliveries)
    }
}

#[async_trait]
impl WorkStore for ModelStore {
    async fn refill(&self, asks: &[RefillAsk]) -> Result<Vec<RefillAnswer>, StoreError> {
        self.core().refill(asks)
    }
    async fn survey(&self, destinations: &[DestinationNo]) -> Result<Vec<(DestinationNo, Timestamp)>, StoreError> {
        self.core().survey(destinations)
    }
    async fn payloads(&self, uids: &[EventUid]) -> Result<Vec<StoredEvent>, StoreError> {
        self.core().payloads(uids)
    }
    async fn command(&self, key: DeliveryKey, command: Command, now: Timestamp) -> Result<Commanded, StoreError> {
        self.core().command(key, command, now)
    }
    async fn redeliver(&self, key: DeliveryKey, origin: Origin, now: Timestamp) -> Result<DeliveryKey, StoreError> {
        self.core().redeliver(key, origin, now)
    }
    async fn save_health(&self, host: HostId, health: &[(DestinationNo, Health)]) -> Result<(), StoreError> {
        self.core().save_health(host, health)
    }
    async fn open_batches(&self, host: HostId, batches: &[StableBatch]) -> Result<(), StoreError> {
        self.core().open_batches(host, batches)
    }
    async fn batches(&self, destinations: &[DestinationNo]) -> Result<Vec<StableBatch>, StoreError> {
        self.core().batches(destinations)
    }
    async fn close_batch(&self, host: HostId, destination: DestinationNo, number: u64) -> Result<(), StoreError> {
        self.core().close_batch(host, destination, number)
    }
    async fn waiting(&self, destinations: &[DestinationNo], cap: u32) -> Result<Vec<(DestinationNo, u32)>, StoreError> {
        self.core().waiting(destinations, cap)
    }
}

#[async_trait]
impl Leases for ModelStore {
    async fn join(&self, host: HostId, now: Timestamp) -> Result<(), StoreError> {
        self.core().join(host, now)
    }
    async fn renew(&self, host: HostId, now: Timestamp) -> Result<Owned, StoreError> {
        self.core().renew(host, now)
    }
    async fn take_over(&self, host: HostId, now: Timestamp) -> Result<Owned, StoreError> {
        self.core().take_over(host, now)
    }
    async fn release(&self, host: HostId, shards: &[ShardNo]) -> Result<(), StoreError> {
        self.core().release(host, shards)
    }
    async fn leave(&self, host: HostId) -> Result<(), StoreError> {
        self.core().leave(host)
    }
}

#[async_trait]
impl Jobs for ModelStore {
    async fn start_replay(&self, replay: &NewReplay) -> Result<(), StoreError> {
        self.core().start_replay(replay)
    }
    async fn replay(&self, tenant: TenantNo, id: JobId) -> Result<Option<Replay>, StoreError> {
        self.core().replay(tenant, id)
    }
    async fn replays(&self, tenant: TenantNo, before: Option<JobId>, limit: u32) -> Result<Vec<Replay>, StoreError> {
        self.core().replays(tenant, before, limit)
    }
    async fn cancel_replay(&self, tenant: TenantNo, id: JobId, now: Timestamp) -> Result<bool, StoreError> {
        self.core().cancel_replay(tenant, id, now)
    }
    async fn step_replay(&self, now: Timestamp) -> Result<Stepped, StoreError> {
        self.core().step_replay(now)
    }
    async fn step_fanout(&self, now: Timestamp) -> Result<Stepped, StoreError> {
        self.core().step_fanout(now)
    }
    async fn step_expiry(&self, before: Timestamp, now: Timestamp) -> Result<Stepped, StoreError> {
        self.core().step_expiry(before, now)
    }
    async fn step_retention(&self, before: Timestamp) -> Result<Stepped, StoreError> {
        self.core().step_retention(before)
    }
}

#[async_trait]
impl Directory for ModelStore {
    async fn meta(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        self.core().meta(name)
    }
    async fn put_meta(&self, name: &str, value: &[u8]) -> Result<Bytes, StoreError> {
        self.core().put_meta(name, value)
    }
    async fn replace_meta(&self, name: &str, old: &[u8], new: &[u8]) -> Result<bool, StoreError> {
        self.core().replace_meta(name, old, new)
    }
    async fn replace_wrapped_key(&self, tenant: TenantNo, old: &[u8], new: &[u8]) -> Result<bool, StoreError> {
        self.core().replace_wrapped_key(tenant, old, new)
    }
    async fn environments(&self) -> Result<Vec<Environment>, StoreError> {
        self.core().environments()
    }
    async fn put_environment(
        &self,
        name: &str,
        settings: &serde_json::Value,
        expect: Expect,
    ) -> Result<Environment, StoreError> {
        self.core().put_environment(name, settings, expect)
    }
    async fn key_by_hash(&self, hash: &[u8; 32]) -> Result<Option<Key>, StoreError> {
        self.core().key_by_hash(hash)
    }
    async fn put_key(&self, key: &Key) -> Result<(), StoreError> {
        self.core().put_key(key)
    }
    async fn keys(&self, environment: Option<EnvironmentNo>) -> Result<Vec<Key>, StoreError> {
        self.core().keys(environment)
    }
    async fn tenant(&self, environment: EnvironmentNo, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        self.core().tenant(environment, id)
    }
    async fn tenants_by_no(&self, nos: &[TenantNo]) -> Result<Vec<Tenant>, StoreError> {
        self.core().tenants_by_no(nos)
    }
    async fn tenants(
        &self,
        environment: EnvironmentNo,
        after: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<Tenant>, StoreError> {
        self.core().tenants(environment, after, limit)
    }
    async fn put_tenant(&self, tenant: &Tenant, expect: Expect) -> Result<Tenant, StoreError> {
        self.core().put_tenant(tenant, expect)
    }
    async fn delete_tenant(&self, no: TenantNo) -> Result<bool, StoreError> {
        self.core().delete_tenant(no)
    }
    async fn destination(&self, tenant: TenantNo, id: &DestinationId) -> Result<Option<Destination>, StoreError> {
        self.core().destination(tenant, id)
    }
    async fn destinations(&self, tenant: TenantNo) -> Result<Vec<Destination>, StoreError> {
        self.core().destinations(tenant)
    }
    async fn destinations_page(
        &self,
        tenant: TenantNo,
        before: Option<DestinationNo>,
        limit: u32,
    ) -> Result<Vec<Destination>, StoreError> {
        self.core().destinations_page(tenant, before, limit)
    }
    async fn standings(
        &self,
        tenant: TenantNo,
        before: Option<DestinationNo>,
        limit: u32,
    ) -> Result<Vec<Standing>, StoreError> {
        self.core().standings(tenant, before, limit)
    }
    async fn destinations_by_no(&self, nos: &[DestinationNo]) -> Result<Vec<Destination>, StoreError> {
        self.core().destinations_by_no(nos)
    }
    async fn destinations_of(
        &self,
        shards: &[ShardNo],
        after: Option<DestinationNo>,
        limit: u32,
    ) -> Result<Vec<Destination>, StoreError> {
        self.core().destinations_of(shards, after, limit)
    }
    async fn next_destination_no(&self) -> Result<DestinationNo, StoreError> {
        self.core().next_destination_no()
    }
    async fn put_destination(&self, destination: &Destination, expect: Expect) -> Result<Destination, StoreError> {
        self.core().put_destination(destination, expect)
    }
    async fn delete_destination(
        &self,
        tenant: TenantNo,
        id: &DestinationId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.core().delete_destination(tenant, id, now)
    }
    async fn event_type(&self, environment: EnvironmentNo, name: &str) -> Result<Option<EventType>, StoreError> {
        self.core().event_type(environment, name)
    }
    async fn event_types(
        &self,
        environment: EnvironmentNo,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<EventType>, StoreError> {
        self.core().event_types(environment, after, limit)
    }
    async fn put_event_type(
        &self,
        environment: EnvironmentNo,
        name: &str,
        body: &serde_json::Value,
        now: Timestamp,
        expect: Expect,
    ) -> Result<EventType, StoreError> {
        self.core().put_event_type(environment, name, body, now, expect)
    }
    async fn delete_event_type(&self, environment: EnvironmentNo, name: &str) -> Result<bool, StoreError> {
        self.core().delete_event_type(environment, name)
    }
    async fn answer(&self, scope: &[u8; 32], now: Timestamp) -> Result<Option<Answer>, StoreError> {
        self.core().answer(scope, now)
    }
    async fn put_answer(&self, scope: &[u8; 32], answer: &Answer, now: Timestamp) -> Result<(), StoreError> {
        self.core().put_answer(scope, answer, now)
    }
}

#[async_trait]
impl History for ModelStore {
    async fn event(&self, tenant: TenantNo, uid: EventUid) -> Result<Option<EventRow>, StoreError> {
        self.core().event(tenant, uid)
    }
    async fn event_by_id(&self, tenant: TenantNo, id: &str) -> Result<Option<EventRow>, StoreError> {
        self.core().event_by_id(tenant, id)
    }
    async fn events(
        &self,
        tenant: TenantNo,
        filter: &EventFilter,
        before: Option<EventUid>,
        limit: u32,
    ) -> Result<Page<EventRow, EventUid>, StoreError> {
        self.core().events(tenant, filter, before, limit)
    }
    async fn deliveries_of(&self, tenant: TenantNo, uid: EventUid) -> Result<Vec<DeliveryRow>, StoreError> {
        self.core().deliveries_of(tenant, uid)
    }
    async fn delivery(&self, tenant: TenantNo, key: DeliveryKey) -> Result<Option<DeliveryRow>, StoreError> {
        self.core().delivery(tenant, key)
    }
    async fn deliveries(
        &self,
        tenant: TenantNo,
        filter: &DeliveryFilter,
        before: Option<DeliveryKey>,
        limit: u32,
    ) -> Result<Page<DeliveryRow, DeliveryKey>, StoreError> {
        self.core().deliveries(tenant, filter, before, limit)
    }
    async fn attempts(&self, tenant: TenantNo, key: DeliveryKey) -> Result<Vec<AttemptRow>, StoreError> {
        self.core().attempts(tenant, key)
    }
    async fn payload(&self, tenant: TenantNo, uid: EventUid) -> Result<Option<Bytes>, StoreError> {
        self.core().payload(tenant, uid)
    }
    async fn erase_payload(&self, tenant: TenantNo, uid: EventUid) -> Result<bool, StoreError> {
        self.core().erase_payload(tenant, uid)
    }
    async fn counts(&self, tenant: TenantNo, cap: u32) -> Result<Vec<(DeliveryState, u64)>, StoreError> {
        self.core().counts(tenant, cap)
    }
}
