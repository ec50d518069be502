//! The promises that are checked, and how one that did not hold is told of.

use std::fmt;

/// One promise each. A planted fault must be found by the check of the promise that it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Acknowledged: in work, ended, or in fan-out.
    Kept,
    /// Ended exactly once.
    EndedOnce,
    /// Recorded as delivered only if it arrived.
    Arrived,
    /// No attempt after the end was acknowledged to the owner.
    AfterEnd,
    /// No attempt while one runs, or while its result is not recorded.
    OneAtATime,
    /// No attempt without a live lease.
    Lease,
    /// No attempt but by the owner of the shard.
    Owner,
    /// A write that was refused for its revision changes nothing, and one that must be refused is.
    Refusal,
    /// A write of a fenced host is refused, and changes nothing.
    Fence,
    /// A batch of results that is sent again is the same.
    Repeat,
    /// In a lane nothing starts before the one before it has ended.
    Lane,
    /// A stable batch is stored first, and never changes.
    Batch,
    /// A batch is no larger than its destination takes.
    Bounds,
    /// A member of a batch ends for its own reason.
    OwnEnd,
    /// An attempt's transcript is that of a request that carried its event.
    Transcript,
    /// What is due at a live destination is attempted within the survey's period and the lease.
    Liveness,
    /// Attempts carry the configuration that their host has seen, and it sees changes in time.
    Revision,
    /// What a host did not survive runs alone at the next.
    Alone,
    /// Only what kills its host dies as poisoned.
    Poison,
    /// A withdrawn credential cuts the calls that carry it.
    Withdrawal,
}

/// A promise that did not hold.
#[derive(Debug)]
pub struct Failure {
    pub check: Check,
    what: String,
}

impl Failure {
    pub fn new(check: Check, what: impl Into<String>) -> Self {
        Self { check, what: what.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.check, self.what)
    }
}
