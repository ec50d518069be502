//! Durable jobs: fan-out, replay, expiry, retention. One step is one transaction.

use crate::StoreError;
use crate::history::DeliveryFilter;
use async_trait::async_trait;
use railhead_model::{DestinationNo, JobId, TenantNo, Timestamp};
use serde::{Deserialize, Serialize};

/// Work rows that one step makes at most.
pub const STEP: usize = 500;

/// Unfinished deliveries of one job at most.
pub const MAX_OPEN: usize = 5_000;

/// Replays of one tenant that run at once.
pub const MAX_RUNNING: usize = 20;

/// A replay as it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct NewReplay {
    /// `rpl_…`, minted by the caller.
    pub id: JobId,
    /// Whose.
    pub tenant: TenantNo,
    /// Which ended deliveries are delivered again.
    pub filter: DeliveryFilter,
    /// When it was asked for: deliveries that ended later are not taken.
    pub at: Timestamp,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum JobState {
    /// Makes deliveries.
    Running = 0,
    /// Made all of them.
    Completed = 1,
    /// Stopped by a person; what it made goes on.
    Cancelled = 2,
}

/// A replay as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// `rpl_…`.
    pub id: JobId,
    /// Whose.
    pub tenant: TenantNo,
    /// As asked for.
    pub filter: DeliveryFilter,
    /// How far.
    pub state: JobState,
    /// Ended deliveries examined.
    pub examined: u64,
    /// Deliveries made.
    pub created: u64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it completed or was cancelled.
    pub ended_at: Option<Timestamp>,
}

/// What one step did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stepped {
    /// Destinations that got work: their owners are hinted.
    pub destinations: Vec<DestinationNo>,
    /// Rows made, ended or deleted.
    pub rows: usize,
    /// True if there may be more to do at once.
    pub more: bool,
}

/// Jobs that any host may step; a step is claimed with its row.
#[async_trait]
pub trait Jobs: Send + Sync + 'static {
    /// Starts a replay. The same id again is harmless.
    ///
    /// # Errors
    /// [`StoreError::TooManyReplays`]: [`MAX_RUNNING`] of the tenant run, whichever host started them.
    async fn start_replay(&self, replay: &NewReplay) -> Result<(), StoreError>;
    /// A replay of this tenant.
    async fn replay(&self, tenant: TenantNo, id: JobId) -> Result<Option<Replay>, StoreError>;
    /// A tenant's replays before `before`, newest first.
    async fn replays(&self, tenant: TenantNo, before: Option<JobId>, limit: u32) -> Result<Vec<Replay>, StoreError>;
    /// Stops a replay that runs.
    async fn cancel_replay(&self, tenant: TenantNo, id: JobId, now: Timestamp) -> Result<bool, StoreError>;

    /// One step of a replay that has something to do: at most [`STEP`] deliveries, at most [`MAX_OPEN`] open. One that can do
    /// nothing now holds up no other.
    async fn step_replay(&self, now: Timestamp) -> Result<Stepped, StoreError>;
    /// One step of the oldest fan-out: at most [`STEP`] work rows.
    async fn step_fanout(&self, now: Timestamp) -> Result<Stepped, StoreError>;
    /// Ends waiting deliveries of events accepted before `before` as expired, at most [`STEP`].
    async fn step_expiry(&self, before: Timestamp, now: Timestamp) -> Result<Stepped, StoreError>;
    /// Deletes events of before `before` with all that belongs to them, at most 1,000 rows or one partition.
    async fn step_retention(&self, before: Timestamp) -> Result<Stepped, StoreError>;
}
