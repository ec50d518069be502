//! Configuration: each write is one intent of the writer.

pub(crate) mod destinations;
mod environments;
mod event_types;
mod tenants;

use crate::SqliteStore;
use async_trait::async_trait;
use bytes::Bytes;
use railhead_model::{DestinationId, DestinationNo, EnvironmentNo, ShardNo, TenantId, TenantNo, Timestamp};
use railhead_store::StoreError;
use railhead_store::directory::{
    Answer, Destination, Directory, Environment, EventType, Expect, Key, Standing, Tenant,
};
use serde_json::Value;

#[async_trait]
impl Directory for SqliteStore {
    async fn meta(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        let name = name.to_owned();
        self.inner.readers.run(move |connection| Box::pin(environments::meta(connection, name))).await
    }

    async fn put_meta(&self, name: &str, value: &[u8]) -> Result<Bytes, StoreError> {
        let (name, value) = (name.to_owned(), value.to_vec());
        self.inner.writer.run(move |connection| Box::pin(environments::put_meta(connection, name, value))).await
    }

    async fn replace_meta(&self, name: &str, old: &[u8], new: &[u8]) -> Result<bool, StoreError> {
        let (name, old, new) = (name.to_owned(), old.to_vec(), new.to_vec());
        self.inner.writer.run(move |connection| Box::pin(environments::replace_meta(connection, name, old, new))).await
    }

    async fn replace_wrapped_key(&self, tenant: TenantNo, old: &[u8], new: &[u8]) -> Result<bool, StoreError> {
        let (old, new) = (old.to_vec(), new.to_vec());
        self.inner.writer.run(move |connection| Box::pin(tenants::replace_key(connection, tenant, old, new))).await
    }

    async fn environments(&self) -> Result<Vec<Environment>, StoreError> {
        self.inner.readers.run(move |connection| Box::pin(environments::all(connection))).await
    }

    async fn put_environment(&self, name: &str, settings: &Value, expect: Expect) -> Result<Environment, StoreError> {
        let (name, settings) = (name.to_owned(), settings.clone());
        self.inner.writer.run(move |connection| Box::pin(environments::put(connection, name, settings, expect))).await
    }

    async fn key_by_hash(&self, hash: &[u8; 32]) -> Result<Option<Key>, StoreError> {
        let hash = *hash;
        self.inner.readers.run(move |connection| Box::pin(environments::key_by_hash(connection, hash))).await
    }

    async fn put_key(&self, key: &Key) -> Result<(), StoreError> {
        let key = key.clone();
        self.inner.writer.run(move |connection| Box::pin(environments::put_key(connection, key))).await
    }

    async fn keys(&self, environment: Option<EnvironmentNo>) -> Result<Vec<Key>, StoreError> {
        self.inner.readers.run(move |connection| Box::pin(environments::keys(connection, environment))).await
    }

    async fn tenant(&self, environment: EnvironmentNo, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        let id = id.clone();
        self.inner.readers.run(move |connection| Box::pin(tenants::by_id(connection, environment, id))).await
    }

    async fn tenants_by_no(&self, nos: &[TenantNo]) -> Result<Vec<Tenant>, StoreError> {
        let nos = nos.to_vec();
        self.inner.readers.run(move |connection| Box::pin(tenants::by_nos(connection, nos))).await
    }

    async fn tenants(
        &self,
        environment: EnvironmentNo,
        after: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<Tenant>, StoreError> {
        let after = after.map_or_else(String::new, |after| after.as_str().to_owned());
        self.inner.readers.run(move |connection| Box::pin(tenants::page(connection, environment, after, limit))).await
    }

    async fn put_tenant(&self, tenant: &Tenant, expect: Expect) -> Result<Tenant, StoreError> {
        let tenant = tenant.clone();
        self.inner.writer.run(move |connection| Box::pin(tenants::put(connection, tenant, expect))).await
    }

    async fn delete_tenant(&self, no: TenantNo) -> Result<bool, StoreError> {
        self.inner.writer.run(move |connection| Box::pin(tenants::delete(connection, no))).await
    }

    async fn destination(&self, tenant: TenantNo, id: &DestinationId) -> Result<Option<Destination>, StoreError> {
        let id = id.clone();
        self.inner.readers.run(move |connection| Box::pin(destinations::by_id(connection, tenant, id))).await
    }

    async fn destinations(&self, tenant: TenantNo) -> Result<Vec<Destination>, StoreError> {
        self.inner.readers.run(move |connection| Box::pin(destinations::of_tenant(connection, tenant))).await
    }

    async fn destinations_page(
        &self,
        tenant: TenantNo,
        before: Option<DestinationNo>,
        limit: u32,
    ) -> Result<Vec<Destination>, StoreError> {
        self.inner.readers.run(move |connection| Box::pin(destinations::page(connection, tenant, before, limit))).await
    }

    async fn standings(
        &self,
        tenant: TenantNo,
        before: Option<DestinationNo>,
        limit: u32,
    ) -> Result<Vec<Standing>, StoreError> {
        self.inner
            .readers
            .run(move |connection| Box::pin(destinations::standings(connection, tenant, before, limit)))
            .await
    }

    async fn destinations_by_no(&self, nos: &[DestinationNo]) -> Result<Vec<Destination>, StoreError> {
        let nos = nos.to_vec();
        self.inner.readers.run(move |connection| Box::pin(destinations::by_no(connection, nos))).await
    }

    async fn destinations_of(
        &self,
        shards: &[ShardNo],
        after: Option<DestinationNo>,
        limit: u32,
    ) -> Result<Vec<Destination>, StoreError> {
        let shards = shards.to_vec();
        let read = self
            .inner
            .readers
            .run(move |connection| Box::pin(destinations::of_shards(connection, shards, after, limit)));
        read.await
    }

    async fn next_destination_no(&self) -> Result<DestinationNo, StoreError> {
        self.inner
            .writer
            .run(move |connection| {
                Box::pin(async move { Ok(DestinationNo(tenants::next_number(connection, "destination").await?)) })
            })
            .await
    }

    async fn put_destination(&self, destination: &Destination, expect: Expect) -> Result<Destination, StoreError> {
        let destination = destination.clone();
        self.inner.writer.run(move |connection| Box::pin(destinations::put(connection, destination, expect))).await
    }

    async fn delete_destination(
        &self,
        tenant: TenantNo,
        id: &DestinationId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let id = id.clone();
        self.inner.writer.run(move |connection| Box::pin(destinations::delete(connection, tenant, id, now))).await
    }

    async fn event_type(&self, environment: EnvironmentNo, name: &str) -> Result<Option<EventType>, StoreError> {
        let name = name.to_owned();
        self.inner.readers.run(move |connection| Box::pin(event_types::one(connection, environment, name))).await
    }

    async fn event_types(
        &self,
        environment: EnvironmentNo,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<EventType>, StoreError> {
        let after = after.unwrap_or_default().to_owned();
        self.inner
            .readers
            .run(move |connection| Box::pin(event_types::page(connection, environment, after, limit)))
            .await
    }

    async fn put_event_type(
        &self,
        environment: EnvironmentNo,
        name: &str,
        body: &Value,
        now: Timestamp,
        expect: Expect,
    ) -> Result<EventType, StoreError> {
        let (name, body) = (name.to_owned(), body.clone());
        self.inner
            .writer
            .run(move |connection| Box::pin(event_types::put(connection, environment, name, body, now, expect)))
            .await
    }

    async fn delete_event_type(&self, environment: EnvironmentNo, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.inner.writer.run(move |connection| Box::pin(event_types::delete(connection, environment, name))).await
    }

    async fn answer(&self, scope: &[u8; 32], now: Timestamp) -> Result<Option<Answer>, StoreError> {
        let scope = *scope;
        self.inner.readers.run(move |connection| Box::pin(event_types::answer(connection, scope, now))).await
    }

    async fn put_answer(&self, scope: &[u8; 32], answer: &Answer, now: Timestamp) -> Result<(), StoreError> {
        let (scope, answer) = (*scope, answer.clone());
        self.inner.writer.run(move |connection| Box::pin(event_types::put_answer(connection, scope, answer, now))).await
    }
}
