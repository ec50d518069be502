//! Unfinished deliveries: refill, survey, payloads, commands, health, batches.

use crate::StoreError;
use async_trait::async_trait;
use bytes::Bytes;
use railhead_model::{DeliveryKey, DestinationNo, EventUid, HostId, JobId, Origin, TenantNo, Timestamp};
use serde::{Deserialize, Serialize};

/// An unfinished delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkRow {
    /// Which.
    pub key: DeliveryKey,
    /// Whose.
    pub tenant: TenantNo,
    /// Not before this.
    pub due: Timestamp,
    /// Attempts of the schedule that are used up.
    pub attempts: u32,
    /// Attempts made, those that cost nothing included: the next one is `tries + 1`.
    pub tries: u32,
    /// Start of the first attempt.
    pub since: Option<Timestamp>,
    /// Changes on every change by anybody.
    pub rev: u32,
    /// Its lane's hash, if its destination keeps an order.
    pub lane: Option<[u8; 16]>,
    /// Its place in the destination's order; 0 without a lane.
    pub seq: i64,
    /// What made it.
    pub origin: Origin,
    /// The run that it repeats.
    pub previous: Option<u32>,
    /// The job that made it.
    pub job: Option<JobId>,
    /// Bytes of its event's payload; 0: unknown (made before they were counted).
    pub bytes: u32,
}

/// A place in a destination's waiting work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Position {
    /// By (due, event, run), for destinations without an order.
    Due(Timestamp, EventUid, u32),
    /// By seq, for destinations that keep an order.
    Seq(i64),
}

/// Asks for one destination's next work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefillAsk {
    /// Which.
    pub destination: DestinationNo,
    /// True: by seq. False: by (due, event, run).
    pub ordered: bool,
    /// Only after this; `None` from the start.
    pub after: Option<Position>,
    /// At most so many rows.
    pub limit: u32,
}

/// A destination's next work, in order. Fewer rows than asked: there was no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefillAnswer {
    /// Which.
    pub destination: DestinationNo,
    /// In order. Not only what is due: what waits for later comes too.
    pub rows: Vec<WorkRow>,
}

/// A stored event, still sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Which.
    pub uid: EventUid,
    /// Whose.
    pub tenant: TenantNo,
    /// The vendor's id.
    pub id: String,
    /// `order.created`.
    pub event_type: String,
    /// Acceptance.
    pub at: Timestamp,
    /// Sealed head.
    pub head: Bytes,
    /// Sealed payload; `None` if it was erased.
    pub payload: Option<Bytes>,
    /// Bytes of the payload before sealing.
    pub payload_bytes: u32,
}

/// What a person asks of one waiting delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Due now.
    RetryNow,
    /// End it as cancelled.
    Cancel,
}

/// What came of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commanded {
    /// Done, durable.
    Done,
    /// It has ended already, or never was.
    NotWaiting,
}

/// A destination's health, durable at transitions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// True while the breaker is open: only probes.
    pub open: bool,
    /// Failures in a row.
    pub failures: u32,
    /// The first failure of the row.
    pub failing_since: Option<Timestamp>,
    /// The next probe while open.
    pub next_probe: Option<Timestamp>,
    /// Probes made since it opened: the delay doubles with each.
    pub probes: u32,
    /// Why it opened: the outcome's code and message.
    pub reason: Option<railhead_model::Reason>,
    /// The last delivery that arrived.
    pub last_delivered: Option<Timestamp>,
}

/// A stable batch: its members are stored before its first attempt and never change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StableBatch {
    /// Whose.
    pub destination: DestinationNo,
    /// Never used for other members of its destination.
    pub number: u64,
    /// In order.
    pub members: Vec<DeliveryKey>,
    /// Not before this.
    pub due: Timestamp,
    /// Attempts used.
    pub attempts: u32,
}

/// Reads and commands on unfinished deliveries.
#[async_trait]
pub trait WorkStore: Send + Sync + 'static {
    /// The next work of each destination asked for, answered in order.
    async fn refill(&self, asks: &[RefillAsk]) -> Result<Vec<RefillAnswer>, StoreError>;

    /// The earliest due time of each of these destinations that has waiting work; others are left out.
    async fn survey(&self, destinations: &[DestinationNo]) -> Result<Vec<(DestinationNo, Timestamp)>, StoreError>;

    /// The events, in any order; missing ones are left out.
    async fn payloads(&self, uids: &[EventUid]) -> Result<Vec<StoredEvent>, StoreError>;

    /// Does what a person asks with one waiting delivery (`rev + 1`). The caller hints the owner afterwards.
    async fn command(&self, key: DeliveryKey, command: Command, now: Timestamp) -> Result<Commanded, StoreError>;

    /// Makes a new delivery of an ended one: the next free run, due now, `previous` = the run of `key`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such delivery.
    async fn redeliver(&self, key: DeliveryKey, origin: Origin, now: Timestamp) -> Result<DeliveryKey, StoreError>;

    /// Stores the health of destinations, fenced. One whose shard this host does not own is left alone: its owner knows
    /// better.
    async fn save_health(&self, host: HostId, health: &[(DestinationNo, Health)]) -> Result<(), StoreError>;

    /// Stores stable batches before their first attempt, fenced. Repeating is harmless.
    async fn open_batches(&self, host: HostId, batches: &[StableBatch]) -> Result<(), StoreError>;

    /// The stable batches of these destinations that have not ended, with those of their members that have not, in order:
    /// a batch's place among much other work must not hang on what will never be read again.
    async fn batches(&self, destinations: &[DestinationNo]) -> Result<Vec<StableBatch>, StoreError>;

    /// Ends a stable batch, fenced, after its members were recorded.
    async fn close_batch(&self, host: HostId, destination: DestinationNo, number: u64) -> Result<(), StoreError>;

    /// How many deliveries wait, by destination, at most `cap` counted each; for metrics and pages.
    async fn waiting(&self, destinations: &[DestinationNo], cap: u32) -> Result<Vec<(DestinationNo, u32)>, StoreError>;
}
