//! Reads for people.

mod deliveries;
mod events;
pub mod walk;

use crate::connect::PostgresStore;
use async_trait::async_trait;
use bytes::Bytes;
use railhead_model::{DeliveryKey, DeliveryState, EventUid, TenantNo};
use railhead_store::StoreError;
use railhead_store::history::{AttemptRow, DeliveryFilter, DeliveryRow, EventFilter, EventRow, History, Page};

#[async_trait]
impl History for PostgresStore {
    async fn event(&self, tenant: TenantNo, uid: EventUid) -> Result<Option<EventRow>, StoreError> {
        self.desk_read(events::by_uid(self, tenant, uid)).await
    }

    async fn event_by_id(&self, tenant: TenantNo, id: &str) -> Result<Option<EventRow>, StoreError> {
        self.desk_read(events::by_id(self, tenant, id)).await
    }

    async fn events(
        &self,
        tenant: TenantNo,
        filter: &EventFilter,
        before: Option<EventUid>,
        limit: u32,
    ) -> Result<Page<EventRow, EventUid>, StoreError> {
        self.desk_read(events::list(self, tenant, filter, before, limit)).await
    }

    async fn deliveries_of(&self, tenant: TenantNo, uid: EventUid) -> Result<Vec<DeliveryRow>, StoreError> {
        self.desk_read(deliveries::of_event(self, tenant, uid)).await
    }

    async fn delivery(&self, tenant: TenantNo, key: DeliveryKey) -> Result<Option<DeliveryRow>, StoreError> {
        self.desk_read(deliveries::one(self, tenant, key)).await
    }

    async fn deliveries(
        &self,
        tenant: TenantNo,
        filter: &DeliveryFilter,
        before: Option<DeliveryKey>,
        limit: u32,
    ) -> Result<Page<DeliveryRow, DeliveryKey>, StoreError> {
        self.desk_read(deliveries::list(self, tenant, filter, before, limit)).await
    }

    async fn attempts(&self, tenant: TenantNo, key: DeliveryKey) -> Result<Vec<AttemptRow>, StoreError> {
        self.desk_read(deliveries::attempts(self, tenant, key)).await
    }

    async fn payload(&self, tenant: TenantNo, uid: EventUid) -> Result<Option<Bytes>, StoreError> {
        self.desk_read(events::payload(self, tenant, uid)).await
    }

    async fn erase_payload(&self, tenant: TenantNo, uid: EventUid) -> Result<bool, StoreError> {
        self.desk_write(events::erase_payload(self, tenant, uid)).await
    }

    async fn counts(&self, tenant: TenantNo, cap: u32) -> Result<Vec<(DeliveryState, u64)>, StoreError> {
        self.desk_read(deliveries::counts(self, tenant, cap)).await
    }
}
