//! What happens to the engine.

use railhead_model::{
    Batch, DeliveryKey, DestinationNo, DestinationState, HostId, Jitter, Outcome, RateLimit, RetryPolicy, ShardNo,
    TenantNo, Timestamp,
};
use railhead_store::work::{Health, StableBatch};
use railhead_store::{RecordAnswer, Started, WorkRow};

/// The time of a step: due times are wall time, leases and timers are monotonic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The wall clock.
    pub wall: Timestamp,
    /// The monotonic clock, in milliseconds.
    pub mono_ms: u64,
}

/// Number of one hand-over of this engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub u64);

/// Number of one record batch of this engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub u64);

/// What the engine needs to know of a destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Which.
    pub no: DestinationNo,
    /// Whose.
    pub tenant: TenantNo,
    /// Paused and disabled destinations start nothing.
    pub state: DestinationState,
    /// When failed deliveries are tried again.
    pub retry: RetryPolicy,
    /// How retries are scattered.
    pub jitter: Jitter,
    /// Events per second.
    pub rate_limit: Option<RateLimit>,
    /// Most events in flight.
    pub concurrency: u32,
    /// Most events per call.
    pub hand_over: u32,
    /// Most calls at once.
    pub sessions: u32,
    /// Batch bounds, and whether batches are stable. A bound of one event: each goes by itself.
    pub batch: Option<(Batch, bool)>,
    /// True if its deliveries carry lanes.
    pub ordered: bool,
    /// After a dead head: false lets its lane go on, true holds it.
    pub hold_on_dead: bool,
    /// As stored when it was loaded; ignored for a destination that the engine already runs.
    pub health: Health,
}

impl Settings {
    /// The bounds of a batch, where one call is one batch.
    pub(super) fn batched(&self) -> Option<Batch> {
        self.batch.map(|(batch, _)| batch).filter(Batch::is_batched)
    }
}

/// One input of [`super::Engine::step`].
#[derive(Clone, Debug)]
pub enum Input {
    /// Work that was just made durable on this host (accept, fan-out, replay). Only speed: the survey finds it too.
    Pushed(Vec<WorkRow>),
    /// Something changed in these destinations' work, at another host or by a command.
    Hinted(Vec<DestinationNo>),
    /// The survey's answer for all destinations that were asked: earliest due time of those with work.
    Surveyed(Vec<(DestinationNo, Timestamp)>),
    /// The answer to [`super::Effect::Refill`]; fewer rows than asked: there was no more when it was read.
    Refilled {
        /// Which.
        destination: DestinationNo,
        /// In order.
        rows: Vec<WorkRow>,
    },
    /// The refill could not be read; the engine asks again after a delay.
    RefillFailed(DestinationNo),
    /// Some deliveries of a running hand-over have their outcome.
    Settled {
        /// Which hand-over.
        attempt: AttemptId,
        /// Outcomes, each delivery at most once over the life of a hand-over.
        outcomes: Vec<(DeliveryKey, Outcome)>,
    },
    /// A hand-over is over. What it did not settle was never started (an abort before sending): untried.
    AttemptOver(AttemptId),
    /// A record batch is durable.
    Recorded {
        /// Which.
        record: RecordId,
        /// In the order of its items.
        answers: Vec<RecordAnswer>,
    },
    /// It is not known whether a record batch is durable, or it was not possible now: the engine sends the same again.
    RecordUnknown(RecordId),
    /// The lease as of now: start nothing at or after `until_mono_ms`. Shards that are new here are not yet loaded.
    Lease {
        /// The host.
        host: HostId,
        /// The monotonic time from before the renewal was sent, plus the lease, less a second.
        until_mono_ms: u64,
        /// All that is owned.
        shards: Vec<ShardNo>,
    },
    /// All owned shards that are suspects: their destinations run one attempt at a time, each put on record first. Comes
    /// before their destinations are loaded.
    Suspects(Vec<ShardNo>),
    /// The answer to [`super::Effect::Start`], in the order of its deliveries.
    Started {
        /// Which hand-over.
        attempt: AttemptId,
        /// One for each delivery.
        answers: Vec<Started>,
    },
    /// The answer to [`super::Effect::Unstart`], or that it can never be done.
    Unstarted(AttemptId),
    /// This host was fenced: everything stops, nothing is recorded.
    Fenced,
    /// A destination was loaded, made or changed. New ones begin partial, and are refilled.
    Config(Box<Settings>),
    /// A destination is gone (deleted, or its shard moved away): forget its work once what is in flight is over.
    Gone(DestinationNo),
    /// What still runs at these shards had its time, and must end now: they are given to another host. Comes after all
    /// their destinations are `Gone`.
    Cut(Vec<ShardNo>),
    /// Stable batches of a destination that were open when it was loaded. Comes right after its `Config`.
    Batches(Vec<StableBatch>),
    /// A stable batch is durable: its next attempt may start.
    BatchOpened(DestinationNo, u64),
    /// The end of a stable batch is durable.
    BatchClosed(DestinationNo, u64),
    /// A timer that was asked for with [`super::Effect::WakeAt`] (or any time).
    Tick,
    /// Start nothing more; record what ends (SIGTERM).
    Drain,
}
