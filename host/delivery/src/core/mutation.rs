//! Faults that the simulation plants into the engine, to show that its checks find them. Exists in tests only.

use std::cell::Cell;

/// A planted fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// The publisher is told before the commit. (Planted in the simulated host.)
    EarlyAcknowledgement,
    /// A hint that comes while a refill is in flight is lost, and the survey trusts a complete window.
    LostWakeUp,
    /// A refill takes in what memory already has.
    RefilledTwice,
    /// A refill that is older than a result brings the delivery back.
    LateRefill,
    /// A fenced host's records are written. (Planted in the simulated host.)
    FenceIgnored,
    /// Attempts start after the lease has run out.
    LeaseIgnored,
    /// The driver does not look at the lease again before it sends. (Planted in the simulated host.)
    WireUnchecked,
    /// The end of the lease is told by comparing the database's wall clock with the host's. (Planted there too.)
    LeaseByWallClock,
    /// Shards are given away while something of them runs. (Planted there too.)
    ReleasedBusy,
    /// What runs at a shard that is given away is never cut.
    NeverCut,
    /// A repeated end is taken as another one. (Planted in the simulated database.)
    EndedTwice,
    /// Results are written whatever became of their rows. (Planted there too.)
    RevIgnored,
    /// A write that is refused is done nevertheless. (Planted there too.)
    RefusalLies,
    /// The survey does not look at some destinations.
    SurveySkips,
    /// What was not held because it was due only later is never read.
    FarForgotten,
    /// A refill that brought as much as was asked for is taken for all there is, and so is every later look.
    RefillEndsEarly,
    /// A configuration that comes late replaces a newer one. (Planted in the simulated host.)
    OldConfigWins,
    /// A configuration whose notification was lost is never read. (Planted there too.)
    ConfigUnsurveyed,
    /// A call goes on with a withdrawn credential. (Planted there too.)
    WithdrawalIgnored,
    /// One tenant never gets its turn.
    TenantStarved,
    /// Followers in a lane do not wait for its head.
    LaneIgnored,
    /// A result whose batch has an unknown outcome is forgotten.
    ResultForgotten,
    /// A stable batch is sent again without its last member.
    BatchShrinks,
    /// A batch takes what is due, however many bytes that is.
    BytesIgnored,
    /// A stable batch that was too large goes on smaller, under its old number.
    SplitKeepsNumber,
    /// One member of a stable batch that must never be sent takes the others along.
    OneRefusedForAll,
    /// What is to run alone runs beside others.
    CompanyAllowed,
    /// What is to run alone does not wait until the results of those before it are durable.
    EndUnawaited,
    /// An attempt refers to the transcript of a request that did not carry its event.
    TranscriptMisplaced,
}

thread_local! {
    static PLANTED: Cell<Option<Mutation>> = const { Cell::new(None) };
}

pub(crate) fn plant(fault: Option<Mutation>) {
    PLANTED.set(fault);
}

pub(crate) fn is_planted(fault: Mutation) -> bool {
    PLANTED.get() == Some(fault)
}
