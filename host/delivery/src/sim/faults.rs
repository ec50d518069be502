//! What can go wrong, how often it is made to, and how often it was reached.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::fmt;

/// A class of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A refill's answer came after later commits on its destination.
    DelayedRead,
    /// A result was committed and the answer lost.
    LostAnswer,
    /// A result was not committed, and nobody knew.
    UnknownBeforeCommit,
    /// An accept was committed and the answer lost.
    LostAccept,
    /// A record was refused because its host was fenced.
    FenceRefusal,
    /// A record was refused because the delivery had changed.
    RevRefusal,
    /// A host stood still past its lease.
    PausePastLease,
    /// A host died.
    Crash,
    /// A hint was lost.
    LostHint,
    /// A hint came twice.
    DuplicateHint,
    /// The database was away.
    Outage,
    /// A host stood still between the decision to start and the sending.
    StalledSend,
    /// An event was routed by an old configuration.
    StaleRoute,
    /// A hand-over was cut.
    Abort,
    /// A shard went to another host by consent.
    HandOver,
    /// A refill could not be read.
    FailedRefill,
    /// An open stable batch was found at a take-over.
    BatchTakenOver,
    /// A lane was blocked by its head.
    BlockedLane,
    /// A breaker opened.
    BreakerOpened,
    /// A destination switched itself off.
    Disabled,
    /// A configuration changed while calls ran under the one before.
    Rotation,
    /// A stable batch was too large, and went on as smaller ones.
    BatchSplit,
    /// A member of a stable batch was not sent with the others, and never will be.
    RefusedMember,
    /// A batch had as many bytes as it may have.
    BytesBound,
    /// Attempts shared a transcript.
    SharedTranscript,
}

const ALL: [Fault; 25] = [
    Fault::DelayedRead,
    Fault::LostAnswer,
    Fault::UnknownBeforeCommit,
    Fault::LostAccept,
    Fault::FenceRefusal,
    Fault::RevRefusal,
    Fault::PausePastLease,
    Fault::Crash,
    Fault::LostHint,
    Fault::DuplicateHint,
    Fault::Outage,
    Fault::StalledSend,
    Fault::StaleRoute,
    Fault::Abort,
    Fault::HandOver,
    Fault::FailedRefill,
    Fault::BatchTakenOver,
    Fault::BlockedLane,
    Fault::BreakerOpened,
    Fault::Disabled,
    Fault::Rotation,
    Fault::BatchSplit,
    Fault::RefusedMember,
    Fault::BytesBound,
    Fault::SharedTranscript,
];

/// How often each class was reached.
#[derive(Default)]
pub struct Reached(BTreeMap<Fault, u64>);

impl Reached {
    pub fn count(&mut self, fault: Fault) {
        *self.0.entry(fault).or_insert(0) += 1;
    }

    pub fn add(&mut self, other: &Self) {
        for (fault, count) in &other.0 {
            *self.0.entry(*fault).or_insert(0) += count;
        }
    }

    pub fn missed(&self) -> Vec<Fault> {
        ALL.into_iter().filter(|fault| !self.0.contains_key(fault)).collect()
    }
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ALL.iter().try_for_each(|fault| {
            writeln!(f, "  {:<20} {}", format!("{fault:?}"), self.0.get(fault).copied().unwrap_or(0))
        })
    }
}

/// How likely things go wrong in one seed. Some seeds are quiet in some respects, so that faults also come alone.
pub struct Plan {
    pub delayed_read: f64,
    pub lost_answer: f64,
    pub unknown_before: f64,
    pub lost_hint: f64,
    pub duplicate_hint: f64,
    pub stalled_send: f64,
    /// Crashes, pauses, outages: the mean time between two, in milliseconds.
    pub trouble_ms: u64,
}

impl Plan {
    pub fn new(random: &mut ChaCha8Rng) -> Self {
        let mut chance = |most: f64| if random.random_bool(0.3) { 0.0 } else { random.random::<f64>() * most };
        Self {
            delayed_read: chance(0.5),
            lost_answer: chance(0.2),
            unknown_before: chance(0.2),
            lost_hint: chance(0.6),
            duplicate_hint: chance(0.4),
            stalled_send: chance(0.03),
            trouble_ms: random.random_range(4_000..25_000),
        }
    }
}
