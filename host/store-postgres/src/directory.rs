//! Configuration. A write locks its tenant's row first, so that it and the accepts of that tenant follow one another.

mod destination;
mod settings;
mod small;
mod sweep;
mod tenant;

use crate::connect::PostgresStore;
use async_trait::async_trait;
use bytes::Bytes;
use railhead_model::{DestinationId, DestinationNo, EnvironmentNo, ShardNo, TenantId, TenantNo, Timestamp};
use railhead_store::StoreError;
use railhead_store::directory::{
    Answer, Destination, Directory, Environment, EventType, Expect, Key, Standing, Tenant,
};
use serde_json::Value;

#[async_trait]
impl Directory for PostgresStore {
    async fn meta(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        self.desk_read(small::meta(self, name)).await
    }

    async fn put_meta(&self, name: &str, value: &[u8]) -> Result<Bytes, StoreError> {
        self.desk_write(small::put_meta(self, name, value)).await
    }

    async fn replace_meta(&self, name: &str, old: &[u8], new: &[u8]) -> Result<bool, StoreError> {
        self.desk_write(small::replace_meta(self, name, old, new)).await
    }

    async fn replace_wrapped_key(&self, tenant: TenantNo, old: &[u8], new: &[u8]) -> Result<bool, StoreError> {
        self.desk_write(tenant::replace_wrapped_key(self, tenant, old, new)).await
    }

    async fn environments(&self) -> Result<Vec<Environment>, StoreError> {
        self.desk_read(settings::environments(self)).await
    }

    async fn put_environment(&self, name: &str, settings: &Value, expect: Expect) -> Result<Environment, StoreError> {
        self.desk_write(settings::put_environment(self, name, settings, expect)).await
    }

    async fn key_by_hash(&self, hash: &[u8; 32]) -> Result<Option<Key>, StoreError> {
        self.desk_read(small::key_by_hash(self, hash)).await
    }

    async fn put_key(&self, key: &Key) -> Result<(), StoreError> {
        self.desk_write(small::put_key(self, key)).await
    }

    async fn keys(&self, environment: Option<EnvironmentNo>) -> Result<Vec<Key>, StoreError> {
        self.desk_read(small::keys(self, environment)).await
    }

    async fn tenant(&self, environment: EnvironmentNo, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        self.desk_read(tenant::by_id(self, environment, id)).await
    }

    async fn tenants_by_no(&self, nos: &[TenantNo]) -> Result<Vec<Tenant>, StoreError> {
        self.desk_read(tenant::by_nos(self, nos)).await
    }

    async fn tenants(
        &self,
        environment: EnvironmentNo,
        after: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<Tenant>, StoreError> {
        self.desk_read(tenant::list(self, environment, after, limit)).await
    }

    async fn put_tenant(&self, tenant: &Tenant, expect: Expect) -> Result<Tenant, StoreError> {
        self.desk_write(tenant::put(self, tenant, expect)).await
    }

    async fn delete_tenant(&self, no: TenantNo) -> Result<bool, StoreError> {
        sweep::delete_tenant(self, no).await
    }

    async fn destination(&self, tenant: TenantNo, id: &DestinationId) -> Result<Option<Destination>, StoreError> {
        self.desk_read(destination::by_id(self, tenant, id)).await
    }

    async fn destinations(&self, tenant: TenantNo) -> Result<Vec<Destination>, StoreError> {
        self.desk_read(destination::of_tenant(self, tenant)).await
    }

    async fn destinations_page(
        &self,
        tenant: TenantNo,
        before: Option<DestinationNo>,
        limit: u32,
    ) -> Result<Vec<Destination>, StoreError> {
        self.desk_read(destination::page(self, tenant, before, limit)).await
    }

    async fn standings(
        &self,
        tenant: TenantNo,
        before: Option<DestinationNo>,
        limit: u32,
    ) -> Result<Vec<Standing>, StoreError> {
        self.desk_read(destination::standings(self, tenant, before, limit)).await
    }

    async fn destinations_by_no(&self, nos: &[DestinationNo]) -> Result<Vec<Destination>, StoreError> {
        self.desk_read(destination::by_nos(self, nos)).await
    }

    async fn destinations_of(
        &self,
        shards: &[ShardNo],
        after: Option<DestinationNo>,
        limit: u32,
    ) -> Result<Vec<Destination>, StoreError> {
        self.desk_read(destination::of_shards(self, shards, after, limit)).await
    }

    async fn next_destination_no(&self) -> Result<DestinationNo, StoreError> {
        self.desk_write(destination::next_no(self)).await
    }

    async fn put_destination(&self, destination: &Destination, expect: Expect) -> Result<Destination, StoreError> {
        self.desk_write(destination::put(self, destination, expect)).await
    }

    async fn delete_destination(
        &self,
        tenant: TenantNo,
        id: &DestinationId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        sweep::delete_destination(self, tenant, id, now).await
    }

    async fn event_type(&self, environment: EnvironmentNo, name: &str) -> Result<Option<EventType>, StoreError> {
        self.desk_read(settings::event_type(self, environment, name)).await
    }

    async fn event_types(
        &self,
        environment: EnvironmentNo,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<EventType>, StoreError> {
        self.desk_read(settings::event_types(self, environment, after, limit)).await
    }

    async fn put_event_type(
        &self,
        environment: EnvironmentNo,
        name: &str,
        body: &Value,
        now: Timestamp,
        expect: Expect,
    ) -> Result<EventType, StoreError> {
        self.desk_write(settings::put_event_type(self, environment, name, body, now, expect)).await
    }

    async fn delete_event_type(&self, environment: EnvironmentNo, name: &str) -> Result<bool, StoreError> {
        self.desk_write(settings::delete_event_type(self, environment, name)).await
    }

    async fn answer(&self, scope: &[u8; 32], now: Timestamp) -> Result<Option<Answer>, StoreError> {
        self.desk_read(small::answer(self, scope, now)).await
    }

    async fn put_answer(&self, scope: &[u8; 32], answer: &Answer, now: Timestamp) -> Result<(), StoreError> {
        self.desk_write(small::put_answer(self, scope, answer, now)).await
    }
}

/// The two outcomes of an insert that lets an existing row stand.
enum Found {
    /// Made just now.
    Made,
    /// It was there, with this revision; its row is locked.
    There(i64),
}

impl Found {
    /// The revision that the write leaves, if `expect` is met. A new row is inserted with revision 1.
    fn next(&self, expect: Expect) -> Result<i64, StoreError> {
        match self {
            Self::Made => expect.next(None),
            Self::There(revision) => expect.next(Some(*revision)),
        }
    }
}
