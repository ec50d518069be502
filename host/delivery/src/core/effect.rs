//! What the engine asks its driver to do.

use super::input::{AttemptId, RecordId};
use railhead_model::{DeliveryKey, DestinationNo, TenantNo, Timestamp};
use railhead_store::work::{Health, StableBatch};
use railhead_store::{Change, RefillAsk};

/// One effect of [`super::Engine::step`]. The driver starts it at once and answers with an input; order between
/// effects of one step does not matter.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Hand these deliveries over. The driver checks the lease once more right before it sends.
    Attempt {
        /// Answered with `Settled` and one `AttemptOver`.
        id: AttemptId,
        /// Where to.
        destination: DestinationNo,
        /// Whose.
        tenant: TenantNo,
        /// In order.
        items: Vec<AttemptItem>,
        /// The stable batch that they are.
        batch: Option<u64>,
        /// Others wait for it to be over: it has little time.
        careful: bool,
    },
    /// Put on record that these deliveries start, durable before `Started` is answered; their `Attempt` follows.
    Start {
        /// The hand-over.
        id: AttemptId,
        /// In the order of the answers.
        deliveries: Vec<DeliveryKey>,
        /// Nothing else runs here with its start on record.
        alone: bool,
    },
    /// Take these starts back: no attempt of them is recorded. Answered with `Unstarted`.
    Unstart {
        /// The hand-over.
        id: AttemptId,
        /// Which.
        deliveries: Vec<DeliveryKey>,
    },
    /// Stop a hand-over: its requests are cut; what was not settled is settled as it stands.
    Abort(AttemptId),
    /// Read a destination's next work.
    Refill(RefillAsk),
    /// Make these results durable in one commit; answered with `Recorded` or `RecordUnknown`. One at a time.
    Record {
        /// Which.
        id: RecordId,
        /// In the order of the answers. The driver adds the attempt and its transcript by (key, n).
        items: Vec<RecordItem>,
    },
    /// Store a destination's health (at transitions only). Not answered; a failure is logged and the next one wins.
    SaveHealth(DestinationNo, Health),
    /// Store this batch before its next attempt; answered with `BatchOpened`.
    OpenBatch(StableBatch),
    /// A batch ended, or is to go on as smaller ones; answered with `BatchClosed`.
    CloseBatch(DestinationNo, u64),
    /// The destination broke (`true`) or recovered (`false`): an operational event.
    Failing(DestinationNo, bool),
    /// A destination must be disabled by itself, with this code and message (410, or by the connector's word).
    Disable(DestinationNo, railhead_model::Reason),
    /// Call `step` with `Tick` at this monotonic time, unless another `WakeAt` came since. The last one counts.
    WakeAt(u64),
}

/// One delivery of a hand-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptItem {
    /// Which.
    pub key: DeliveryKey,
    /// The number of this attempt: counts from 1.
    pub n: u32,
}

/// One delivery's new state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordItem {
    /// Which.
    pub key: DeliveryKey,
    /// Whose.
    pub tenant: TenantNo,
    /// As loaded.
    pub rev: u32,
    /// The attempt that led to it; `None`: none was made.
    pub n: Option<u32>,
    /// The new state.
    pub change: Change,
    /// When the outcome was known.
    pub at: Timestamp,
}
