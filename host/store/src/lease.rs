//! Leases: which host owns which shards.

use crate::StoreError;
use async_trait::async_trait;
use railhead_model::{HostId, ShardNo, Timestamp};

/// How long a lease runs from a renewal, in milliseconds.
pub const LEASE_MS: i64 = 6_000;

/// What a host owns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owned {
    /// The database's time.
    pub now: Timestamp,
    /// Shards, with the epoch of their ownership.
    pub shards: Vec<(ShardNo, i64)>,
}

/// Ownership by leases on 256 shards.
#[async_trait]
pub trait Leases: Send + Sync + 'static {
    /// Makes a host known, with a lease and no shards. On the embedded store its predecessors are fenced at once: a lock
    /// on the file already proves that they are gone.
    async fn join(&self, host: HostId, now: Timestamp) -> Result<(), StoreError>;

    /// Extends the lease to `now` + [`LEASE_MS`] and answers with what is owned. An expired lease that nobody fenced may
    /// be renewed. `now` is the caller's clock; a server store uses its own and answers with it.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    async fn renew(&self, host: HostId, now: Timestamp) -> Result<Owned, StoreError>;

    /// Fences hosts whose lease expired and moves their shards and free ones here, up to a fair share (one transaction).
    /// Answers with all that is owned then.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    async fn take_over(&self, host: HostId, now: Timestamp) -> Result<Owned, StoreError>;

    /// Gives shards back after their in-flight work was recorded; all of them ends the host in order.
    async fn release(&self, host: HostId, shards: &[ShardNo]) -> Result<(), StoreError>;
}
