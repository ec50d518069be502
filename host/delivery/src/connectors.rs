//! What the engine needs of connectors. The composition root implements it over the sandbox.

use async_trait::async_trait;
use railhead_model::{DeliveryKey, Event, Outcome, Reason, Timestamp, Transcript};
use railhead_store::directory::Destination;
use std::sync::Arc;

/// One call into a connector: some events for one destination.
#[derive(Clone, Debug)]
pub struct HandOver {
    /// The destination as configured when the call begins, credentials still sealed.
    pub destination: Arc<Destination>,
    /// Its tenant's wrapped data key.
    pub tenant: Arc<railhead_store::directory::Tenant>,
    /// The same at every retry of a stable batch; else unique to this call.
    pub batch_id: String,
    /// The events are one batch for the destination. A stable batch stays one, whatever its destination's bounds became.
    pub batched: bool,
    /// In order.
    pub events: Vec<Handed>,
    /// Wall-clock bound of the whole call, in milliseconds.
    pub deadline_ms: u32,
}

/// One event of a hand-over, shaped.
#[derive(Clone, Debug)]
pub struct Handed {
    /// Which delivery.
    pub delivery: DeliveryKey,
    /// Counts from 1.
    pub attempt: u32,
    /// As the connector sees it: after field selection and transform.
    pub event: Arc<Event>,
    /// True where `event.data` is not the stored payload (selection or transform changed it).
    pub reshaped: bool,
}

/// The outcome of one event of a hand-over.
#[derive(Clone, Debug)]
pub struct Settled {
    /// Index into [`HandOver::events`].
    pub index: usize,
    /// As the connector classed it, or as the host classes what was left unsettled.
    pub outcome: Outcome,
    /// What went over the wire for it, masked.
    pub transcript: Transcript,
    /// When its first request (or the call) started.
    pub started_at: Timestamp,
    /// From then to its outcome.
    pub duration_ms: u32,
}

/// Receives outcomes while the call still runs: what is settled survives a later trap or deadline.
pub trait Settle: Send + Sync {
    /// Called with each event at most once; with those of one moment together, for each call wakes somebody.
    fn settle(&self, settled: Vec<Settled>);
}

/// One step of a check, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckStep {
    /// What was found, or what is wrong.
    pub result: Result<String, Reason>,
}

/// Runs connectors.
#[async_trait]
pub trait Connectors: Send + Sync + 'static {
    /// Hands events over. Every event is settled exactly once before this returns, whatever the connector did: what
    /// it left open is settled by the host as `uncertain` (a request carried it) or `untried`.
    async fn deliver(&self, hand_over: HandOver, settle: Arc<dyn Settle>);

    /// Resolves, connects, logs in; sends no event.
    ///
    /// # Errors
    /// Why the connector could not run at all.
    async fn check(&self, hand_over: HandOver) -> Result<Vec<CheckStep>, Reason>;

    /// What `deliver` would send for these events: nothing leaves the host.
    ///
    /// # Errors
    /// Why the connector could not run at all.
    async fn preview(&self, hand_over: HandOver) -> Result<Vec<Transcript>, Reason>;

    /// Ends the sessions of a destination whose configuration or credentials changed, or that was deleted: what runs
    /// finishes its call.
    fn retire(&self, destination: railhead_model::DestinationNo);

    /// Ends the sessions of a destination at once, in the middle of their calls: a credential was withdrawn. `revision` is
    /// the first one without it.
    fn revoke(&self, destination: railhead_model::DestinationNo, revision: i64) {
        let _ = revision;
        self.retire(destination);
    }
}
