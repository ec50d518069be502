//! Accept: event and work in one commit.

use crate::StoreError;
use async_trait::async_trait;
use bytes::Bytes;
use railhead_model::{DestinationNo, EventUid, Origin, Route, TenantNo, Timestamp};

/// An event that was routed and sealed, and is not durable yet.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// Minted by the caller before the first sending.
    pub uid: EventUid,
    /// Whose it is.
    pub tenant: TenantNo,
    /// The tenant's configuration generation that routed it.
    pub generation: i64,
    /// Keyed 128-bit hash of (tenant, source, vendor id); `None` for an id that we made.
    pub idh: Option<[u8; 16]>,
    /// Keyed 128-bit hash of the content, to tell a duplicate from a conflict.
    pub digest: [u8; 16],
    /// The vendor's id, else the text of `uid`.
    pub id: String,
    /// `order.created`.
    pub event_type: String,
    /// Acceptance.
    pub at: Timestamp,
    /// Routing's verdict everywhere.
    pub route: Route,
    /// `publish`, or `test` for an event made to test one destination.
    pub origin: Origin,
    /// Lanes of matched destinations that keep an order: keyed 128-bit hash of the lane's value. Sorted.
    pub lanes: Vec<(DestinationNo, [u8; 16])>,
    /// Sealed [`railhead_model::event::Head`].
    pub head: Bytes,
    /// Sealed payload.
    pub payload: Bytes,
    /// Bytes of the payload before sealing.
    pub payload_bytes: u32,
}

/// Above so many matches an event gets one `fanout` row instead of work rows in its accept commit.
pub const MAX_DIRECT: usize = 256;

/// What came of one event of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Durable: the event, and its work (or its fan-out).
    Stored,
    /// The same (tenant, source, id) came before, within the window; nothing was stored.
    Duplicate(FirstEvent),
    /// Routed by an old configuration generation: reload that tenant, route again, send again. Nothing was stored.
    Stale,
    /// The tenant's configuration is being written right now; nothing was stored. Send the same again a little later, or
    /// by [`Accept::accept_patiently`].
    Busy,
    /// The tenant is gone.
    NoTenant,
}

/// The event that a duplicate repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstEvent {
    /// Its uid.
    pub uid: EventUid,
    /// Its id.
    pub id: String,
    /// Its content's digest: differs from the duplicate's in a conflict.
    pub digest: [u8; 16],
    /// How many deliveries it made.
    pub deliveries: u32,
}

/// Any host may accept, without a fence.
#[async_trait]
pub trait Accept: Send + Sync + 'static {
    /// Makes a batch durable in one commit and answers in its order.
    ///
    /// An event counts as a duplicate if its `idh` was stored on its own UTC day or the day before, or stands earlier
    /// in this batch. Sending a batch again answers [`Accepted::Stored`] for what the first sending stored (the same
    /// `uid`), so that an unknown outcome can be repeated.
    ///
    /// Work rows get `due = at`, `run = 0`, `rev = 0`; those with a lane get their `seq` in commit order.
    ///
    /// No tenant waits for another one: events of a tenant whose configuration is being written are
    /// [`Accepted::Busy`], all of them that are in the batch.
    ///
    /// # Errors
    /// Whole-batch errors only; nothing was stored unless it is [`StoreError::Unknown`].
    async fn accept(&self, batch: &[NewEvent]) -> Result<Vec<Accepted>, StoreError>;

    /// The same for events of one tenant, after waiting for a write of its configuration to end: whose tenant is always
    /// busy when it comes is stored all the same.
    ///
    /// # Errors
    /// As [`Accept::accept`]; [`StoreError::Unavailable`] if the wait is too long.
    async fn accept_patiently(&self, batch: &[NewEvent]) -> Result<Vec<Accepted>, StoreError> {
        self.accept(batch).await
    }
}
