//! Reads for people: each is bounded, and runs beside the writer.

mod events;
pub(crate) mod lists;
pub(crate) mod rows;

use crate::SqliteStore;
use async_trait::async_trait;
use bytes::Bytes;
use railhead_model::{DeliveryKey, DeliveryState, EventUid, TenantNo};
use railhead_store::StoreError;
use railhead_store::history::{AttemptRow, DeliveryFilter, DeliveryRow, EventFilter, EventRow, History, Page};

#[async_trait]
impl History for SqliteStore {
    async fn event(&self, tenant: TenantNo, uid: EventUid) -> Result<Option<EventRow>, StoreError> {
        self.inner.readers.run(move |connection| Box::pin(events::by_uid(connection, tenant, uid))).await
    }

    async fn event_by_id(&self, tenant: TenantNo, id: &str) -> Result<Option<EventRow>, StoreError> {
        let id = id.to_owned();
        self.inner.readers.run(move |connection| Box::pin(events::by_id(connection, tenant, id))).await
    }

    async fn events(
        &self,
        tenant: TenantNo,
        filter: &EventFilter,
        before: Option<EventUid>,
        limit: u32,
    ) -> Result<Page<EventRow, EventUid>, StoreError> {
        let filter = filter.clone();
        self.inner.readers.run(move |connection| events::page(connection, tenant, filter, before, limit)).await
    }

    async fn deliveries_of(&self, tenant: TenantNo, uid: EventUid) -> Result<Vec<DeliveryRow>, StoreError> {
        self.inner.readers.run(move |connection| Box::pin(rows::of_event(connection, tenant, uid))).await
    }

    async fn delivery(&self, tenant: TenantNo, key: DeliveryKey) -> Result<Option<DeliveryRow>, StoreError> {
        self.inner.readers.run(move |connection| Box::pin(rows::one(connection, tenant, key))).await
    }

    async fn deliveries(
        &self,
        tenant: TenantNo,
        filter: &DeliveryFilter,
        before: Option<DeliveryKey>,
        limit: u32,
    ) -> Result<Page<DeliveryRow, DeliveryKey>, StoreError> {
        let filter = filter.clone();
        self.inner.readers.run(move |connection| lists::page(connection, tenant, filter, before, limit)).await
    }

    async fn attempts(&self, tenant: TenantNo, key: DeliveryKey) -> Result<Vec<AttemptRow>, StoreError> {
        self.inner.readers.run(move |connection| Box::pin(rows::attempts(connection, tenant, key))).await
    }

    async fn payload(&self, tenant: TenantNo, uid: EventUid) -> Result<Option<Bytes>, StoreError> {
        self.inner.readers.run(move |connection| Box::pin(events::payload(connection, tenant, uid))).await
    }

    async fn erase_payload(&self, tenant: TenantNo, uid: EventUid) -> Result<bool, StoreError> {
        self.inner.writer.run(move |connection| Box::pin(events::erase(connection, tenant, uid))).await
    }

    async fn counts(&self, tenant: TenantNo, cap: u32) -> Result<Vec<(DeliveryState, u64)>, StoreError> {
        self.inner.readers.run(move |connection| Box::pin(rows::counts(connection, tenant, cap))).await
    }
}
