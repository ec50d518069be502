//! Reads for people: events, deliveries, attempts, counts.

use crate::StoreError;
use async_trait::async_trait;
use bytes::Bytes;
use railhead_model::{
    Attempt, AttemptKey, DeliveryKey, DeliveryState, DestinationNo, EventUid, JobId, Origin, Route, TenantNo, Timestamp,
};
use serde::{Deserialize, Serialize};

/// Rows that one page examines at most.
pub const MAX_EXAMINED: usize = 10_000;

/// Which deliveries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeliveryFilter {
    /// Only at this destination.
    pub destination: Option<DestinationNo>,
    /// Only in one of these states; empty: all.
    #[serde(default)]
    pub states: Vec<DeliveryState>,
    /// Only of this event type.
    pub event_type: Option<String>,
    /// Only of this event.
    pub event: Option<EventUid>,
    /// Only of events accepted at this time or later.
    pub since: Option<Timestamp>,
    /// Only of events accepted before this time.
    pub until: Option<Timestamp>,
    /// Only with this code at the last attempt (or at the end).
    pub code: Option<String>,
}

/// A delivery as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryRow {
    /// Which.
    pub key: DeliveryKey,
    /// Its event's type.
    pub event_type: String,
    /// Its event's id.
    pub event_id: String,
    /// Now.
    pub state: DeliveryState,
    /// Code of the end, or of the last attempt; empty before the first.
    pub code: String,
    /// Attempts of the schedule used up.
    pub attempts: u32,
    /// Attempts made.
    pub tries: u32,
    /// What made it.
    pub origin: Origin,
    /// The run that it repeats.
    pub previous: Option<u32>,
    /// The job that made it.
    pub job: Option<JobId>,
    /// When its event was accepted, or the delivery was made.
    pub created_at: Timestamp,
    /// While it waits: not before this.
    pub next_attempt_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The last attempt, where one was made.
    pub last_attempt: Option<Attempt>,
}

/// An event as it is listed.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRow {
    /// Ours.
    pub uid: EventUid,
    /// The vendor's.
    pub id: String,
    /// `order.created`.
    pub event_type: String,
    /// Acceptance.
    pub at: Timestamp,
    /// Verdicts.
    pub route: Route,
    /// Bytes of the payload.
    pub payload_bytes: u32,
    /// Sealed head.
    pub head: Bytes,
    /// `publish`, or `test`.
    pub origin: Origin,
}

/// A page: rows, and where the next begins. `rows` may be short or empty while `next` is set.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T, C> {
    /// Newest first.
    pub rows: Vec<T>,
    /// Pass it as `before` for more.
    pub next: Option<C>,
}

/// Which events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventFilter {
    /// Only this type.
    pub event_type: Option<String>,
    /// Accepted at this time or later.
    pub since: Option<Timestamp>,
    /// Accepted before this time.
    pub until: Option<Timestamp>,
}

/// An attempt with its sealed transcript.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRow {
    /// The attempt.
    pub attempt: Attempt,
    /// Sealed.
    pub transcript: Option<Bytes>,
    /// What the transcript is sealed for, where several attempts share it; `None`: this attempt.
    pub owner: Option<AttemptKey>,
}

/// Reads over a tenant's history. Foreign rows are never found: the tenant is part of every question.
#[async_trait]
pub trait History: Send + Sync + 'static {
    /// An event by our uid.
    async fn event(&self, tenant: TenantNo, uid: EventUid) -> Result<Option<EventRow>, StoreError>;
    /// The newest event with this vendor id, whatever its source.
    async fn event_by_id(&self, tenant: TenantNo, id: &str) -> Result<Option<EventRow>, StoreError>;
    /// Events before `before`, newest first; examines at most [`MAX_EXAMINED`] rows.
    async fn events(
        &self,
        tenant: TenantNo,
        filter: &EventFilter,
        before: Option<EventUid>,
        limit: u32,
    ) -> Result<Page<EventRow, EventUid>, StoreError>;
    /// All deliveries of one event, by (destination, run).
    async fn deliveries_of(&self, tenant: TenantNo, uid: EventUid) -> Result<Vec<DeliveryRow>, StoreError>;
    /// A delivery.
    async fn delivery(&self, tenant: TenantNo, key: DeliveryKey) -> Result<Option<DeliveryRow>, StoreError>;
    /// Deliveries before `before` in the order (event, destination, run), newest first.
    async fn deliveries(
        &self,
        tenant: TenantNo,
        filter: &DeliveryFilter,
        before: Option<DeliveryKey>,
        limit: u32,
    ) -> Result<Page<DeliveryRow, DeliveryKey>, StoreError>;
    /// All attempts of a delivery, by n.
    async fn attempts(&self, tenant: TenantNo, key: DeliveryKey) -> Result<Vec<AttemptRow>, StoreError>;
    /// An event's sealed payload; `None`: there is no such event, or its payload was erased.
    async fn payload(&self, tenant: TenantNo, uid: EventUid) -> Result<Option<Bytes>, StoreError>;
    /// Erases an event's payload (not its record). False: no such event.
    async fn erase_payload(&self, tenant: TenantNo, uid: EventUid) -> Result<bool, StoreError>;
    /// How many ended deliveries and waiting ones a tenant has, by state, counting at most `cap` of each.
    async fn counts(&self, tenant: TenantNo, cap: u32) -> Result<Vec<(DeliveryState, u64)>, StoreError>;
}

impl DeliveryFilter {
    /// True if a delivery is one of these.
    #[must_use]
    pub fn matches(&self, row: &DeliveryRow) -> bool {
        let at = row.key.event.at();
        let last = row.last_attempt.as_ref().map(|last| last.reason.code.as_str());
        self.destination.is_none_or(|no| no == row.key.destination)
            && (self.states.is_empty() || self.states.contains(&row.state))
            && self.event_type.as_ref().is_none_or(|name| *name == row.event_type)
            && self.event.is_none_or(|uid| uid == row.key.event)
            && self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at < until)
            && self.code.as_deref().is_none_or(|code| code == row.code || Some(code) == last)
    }
}

impl EventFilter {
    /// True if an event is one of these.
    #[must_use]
    pub fn matches(&self, row: &EventRow) -> bool {
        self.event_type.as_ref().is_none_or(|name| *name == row.event_type)
            && self.since.is_none_or(|since| row.at >= since)
            && self.until.is_none_or(|until| row.at < until)
    }
}

/// The state of an unfinished delivery after so many attempts.
#[must_use]
pub const fn waiting_state(tries: u32) -> DeliveryState {
    if tries == 0 { DeliveryState::Pending } else { DeliveryState::Retrying }
}
