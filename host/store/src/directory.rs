//! Configuration: environments, keys, tenants, destinations, credentials, event types.
//!
//! Every write that can change how a tenant's events are routed bumps that tenant's generation in the same transaction,
//! so that what was answered before a publish is seen by it on every host.

use crate::StoreError;
use crate::work::Health;
use async_trait::async_trait;
use bytes::Bytes;
use railhead_model::{
    DestinationId, DestinationNo, DestinationSpec, DestinationState, EnvironmentNo, KeyId, ShardNo, TenantId, TenantNo,
    Timestamp,
};

/// `sandbox`, `live`: own keys, own data.
#[derive(Clone, Debug, PartialEq)]
pub struct Environment {
    /// In the store.
    pub no: EnvironmentNo,
    /// Kebab-case.
    pub name: String,
    /// `defaults`, `limits`, `connectors` as the API has them.
    pub settings: serde_json::Value,
    /// Bumped by every write; the ETag.
    pub revision: i64,
}

/// An API key, without its secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// `key_…`.
    pub id: KeyId,
    /// Its environment; `None` for the administrator's.
    pub environment: Option<EnvironmentNo>,
    /// For people.
    pub name: String,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Not valid from here on (set at rotation with an overlap, or by expiry).
    pub expires_at: Option<Timestamp>,
    /// Revoked.
    pub revoked: bool,
}

/// A customer of the vendor.
#[derive(Clone, Debug, PartialEq)]
pub struct Tenant {
    /// In the store.
    pub no: TenantNo,
    /// Its environment.
    pub environment: EnvironmentNo,
    /// The vendor's id.
    pub id: TenantId,
    /// For people.
    pub name: Option<String>,
    /// The vendor's own notes.
    pub metadata: serde_json::Value,
    /// Its limits.
    pub limits: serde_json::Value,
    /// Its data key, wrapped by the vault.
    pub wrapped_key: Bytes,
    /// Bumped by every configuration write of this tenant.
    pub generation: i64,
    /// Bumped by every write to the tenant itself; the ETag.
    pub revision: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
}

/// A sealed credential value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The manifest's field.
    pub field: String,
    /// Counts from 1; a rotation adds one.
    pub version: u32,
    /// Sealed by the vault.
    pub sealed: Bytes,
    /// `whsec_…3fa9`, or what the API shows of it; with public attributes, as JSON.
    pub public: serde_json::Value,
    /// When it was set.
    pub set_at: Timestamp,
    /// An older version is used beside the newest one until here.
    pub expires_at: Option<Timestamp>,
}

/// A destination with all that the host knows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Destination {
    /// In the store.
    pub no: DestinationNo,
    /// Whose.
    pub tenant: TenantNo,
    /// `dst_…`, or the vendor's.
    pub id: DestinationId,
    /// What the owner set.
    pub spec: DestinationSpec,
    /// Version of the connector that it uses.
    pub connector_version: String,
    /// Whether it takes part.
    pub state: DestinationState,
    /// Why, where it is not active.
    pub state_reason: Option<String>,
    /// Credentials, newest version first within a field.
    pub credentials: Vec<Credential>,
    /// Its breaker.
    pub health: Health,
    /// Bumped by every write but health; the ETag, and `config_revision` of attempts.
    pub revision: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
}

/// How a destination stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// In the store.
    pub no: DestinationNo,
    /// Whether it takes part.
    pub state: DestinationState,
    /// Its breaker.
    pub health: Health,
}

/// A type of event, for the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct EventType {
    /// `order.created`.
    pub name: String,
    /// `description group schema examples deprecated` as the API has them.
    pub body: serde_json::Value,
    /// Bumped by every write; the ETag.
    pub revision: i64,
    /// When it was last written.
    pub updated_at: Timestamp,
}

/// Whether a write may replace, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Whatever is there, or nothing.
    Anything,
    /// Nothing is there.
    Absent,
    /// This revision is there (`If-Match`).
    Revision(i64),
}

/// A stored answer to a POST with an `Idempotency-Key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Hash of the request that it answers.
    pub request: [u8; 32],
    /// Sealed status, headers and body.
    pub sealed: Bytes,
}

/// Configuration, in interactive units of work. Errors: [`StoreError::Conflict`] where `expect` is not met.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// A small named value of the whole store, such as the master key's check.
    async fn meta(&self, name: &str) -> Result<Option<Bytes>, StoreError>;
    /// Stores it unless one is there, and answers with what is there then.
    async fn put_meta(&self, name: &str, value: &[u8]) -> Result<Bytes, StoreError>;

    /// Replaces a named value that is `old`. False: it is something else, or absent; nothing was changed.
    async fn replace_meta(&self, name: &str, old: &[u8], new: &[u8]) -> Result<bool, StoreError>;
    /// Replaces a tenant's wrapped key that is `old` (the same data key, wrapped anew). False: it is something else.
    async fn replace_wrapped_key(&self, tenant: TenantNo, old: &[u8], new: &[u8]) -> Result<bool, StoreError>;

    /// All environments, by number.
    async fn environments(&self) -> Result<Vec<Environment>, StoreError>;
    /// Makes or replaces one (`no` is ignored on a new name).
    async fn put_environment(
        &self,
        name: &str,
        settings: &serde_json::Value,
        expect: Expect,
    ) -> Result<Environment, StoreError>;

    /// A key by the hash of its secret, expired and revoked ones too.
    async fn key_by_hash(&self, hash: &[u8; 32]) -> Result<Option<Key>, StoreError>;
    /// Stores a key, or replaces the one with its id. A revoked key stays revoked, whatever the argument says: a writer
    /// that read it before its revocation must not bring it back.
    async fn put_key(&self, key: &Key) -> Result<(), StoreError>;
    /// Keys of an environment (`None`: the administrator's), newest first.
    async fn keys(&self, environment: Option<EnvironmentNo>) -> Result<Vec<Key>, StoreError>;

    /// A tenant by the vendor's id.
    async fn tenant(&self, environment: EnvironmentNo, id: &TenantId) -> Result<Option<Tenant>, StoreError>;
    /// Tenants by number, in one read; in that order, and without those that are not there.
    async fn tenants_by_no(&self, nos: &[TenantNo]) -> Result<Vec<Tenant>, StoreError>;
    /// A tenant by number.
    async fn tenant_by_no(&self, no: TenantNo) -> Result<Option<Tenant>, StoreError> {
        Ok(self.tenants_by_no(&[no]).await?.pop())
    }
    /// Tenants after this id, by id.
    async fn tenants(
        &self,
        environment: EnvironmentNo,
        after: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<Tenant>, StoreError>;
    /// Makes or replaces one. `no`, `generation`, `revision` and, where it exists, `created_at` and `wrapped_key` of the
    /// argument are ignored; the answer has the true ones.
    async fn put_tenant(&self, tenant: &Tenant, expect: Expect) -> Result<Tenant, StoreError>;
    /// Deletes a tenant: its key, destinations, credentials and waiting work go in one transaction; history, unreadable
    /// without the key, goes with the retention. False: there was none.
    async fn delete_tenant(&self, no: TenantNo) -> Result<bool, StoreError>;

    /// A destination by id.
    async fn destination(&self, tenant: TenantNo, id: &DestinationId) -> Result<Option<Destination>, StoreError>;
    /// A page of a tenant's destinations before this number, newest first.
    async fn destinations_page(
        &self,
        tenant: TenantNo,
        before: Option<DestinationNo>,
        limit: u32,
    ) -> Result<Vec<Destination>, StoreError>;
    /// How a tenant's destinations before this number stand, newest first, without what they are configured to.
    async fn standings(
        &self,
        tenant: TenantNo,
        before: Option<DestinationNo>,
        limit: u32,
    ) -> Result<Vec<Standing>, StoreError>;
    /// A tenant's destinations, by number; the whole of it.
    async fn destinations(&self, tenant: TenantNo) -> Result<Vec<Destination>, StoreError>;
    /// Destinations by number, for their owner.
    async fn destinations_by_no(&self, nos: &[DestinationNo]) -> Result<Vec<Destination>, StoreError>;
    /// All destinations of these shards after this number, by number, for their owner.
    async fn destinations_of(
        &self,
        shards: &[ShardNo],
        after: Option<DestinationNo>,
        limit: u32,
    ) -> Result<Vec<Destination>, StoreError>;
    /// Makes a destination's number before its credentials are sealed (they are bound to it).
    async fn next_destination_no(&self) -> Result<DestinationNo, StoreError>;
    /// Makes or replaces a destination under its `no`, with all its credentials (given whole). `revision` and, where it
    /// exists, `created_at` and `health` of the argument are ignored. Bumps the tenant's generation.
    async fn put_destination(&self, destination: &Destination, expect: Expect) -> Result<Destination, StoreError>;
    /// Deletes it: its credentials go, its waiting deliveries end as cancelled (code `destination-deleted`). Bumps the
    /// tenant's generation. False: there was none.
    async fn delete_destination(
        &self,
        tenant: TenantNo,
        id: &DestinationId,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// An event type.
    async fn event_type(&self, environment: EnvironmentNo, name: &str) -> Result<Option<EventType>, StoreError>;
    /// Event types after this name, by name.
    async fn event_types(
        &self,
        environment: EnvironmentNo,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<EventType>, StoreError>;
    /// Makes or replaces one.
    async fn put_event_type(
        &self,
        environment: EnvironmentNo,
        name: &str,
        body: &serde_json::Value,
        now: Timestamp,
        expect: Expect,
    ) -> Result<EventType, StoreError>;
    /// False: there was none.
    async fn delete_event_type(&self, environment: EnvironmentNo, name: &str) -> Result<bool, StoreError>;

    /// The stored answer under (scope of the caller, `Idempotency-Key`), unless older than 24 h.
    async fn answer(&self, scope: &[u8; 32], now: Timestamp) -> Result<Option<Answer>, StoreError>;
    /// Stores an answer unless one is there.
    async fn put_answer(&self, scope: &[u8; 32], answer: &Answer, now: Timestamp) -> Result<(), StoreError>;
}

/// Deliveries that may wait at a destination when it begins to keep an order: they join it in the transaction that changes
/// the destination, and its tenant's publishers wait for that.
pub const MAX_REORDERED: usize = 10_000;

/// How long a stored answer to an `Idempotency-Key` is given again, in milliseconds.
pub const ANSWER_KEPT_MS: i64 = 24 * 3_600_000;

impl Expect {
    /// The revision that a write leaves behind (1 for something new), where `found` is the one that is there.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if something else was expected.
    pub fn next(self, found: Option<i64>) -> Result<i64, StoreError> {
        match (self, found) {
            (Self::Absent, Some(_)) => Err(StoreError::Conflict("it exists already".to_owned())),
            (Self::Revision(_), None) => Err(StoreError::Conflict("it does not exist".to_owned())),
            (Self::Revision(expected), Some(found)) if expected != found => {
                Err(StoreError::Conflict("it changed since it was read".to_owned()))
            }
            (_, found) => Ok(found.unwrap_or(0) + 1),
        }
    }
}

/// The order in which credentials are answered: by field, newest version first.
pub fn sort_credentials(credentials: &mut [Credential]) {
    credentials.sort_by(|a, b| a.field.cmp(&b.field).then(b.version.cmp(&a.version)));
}
