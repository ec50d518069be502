//! What can go wrong, how often it is made to, and how often it was reached.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::fmt;

/// Every so many seeds have a world in which something kills its host.
const KILLER_EVERY: u64 = 4;

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
    /// It woke, and what it then wrote was refused.
    ZombieWrite,
    /// It woke, and what it had started before went on the wire.
    LateAttempt,
    /// A host stood still between its last look at the lease and the wire.
    StoppedAtTheWire,
    /// A host took over what was another's, or nobody's.
    TakenOver,
    /// A shard was found to have lost its hosts again and again, and a start was put on record first.
    StartRecorded,
    /// What a host did not survive was started alone.
    StartedAlone,
    /// The answer to a start was lost, and it was put on record again.
    LostStart,
    /// A start came to nothing, and was taken back.
    StartTakenBack,
    /// A host died of what it sent.
    Killed,
    /// It did so while others were on record as started, which are innocent.
    KilledInCompany,
    /// A host gave away what was beyond its share.
    Surplus,
    /// The answer to a lease statement was lost.
    LostLease,
    /// A row was due by the clock of one host, and not for long by that of its owner.
    SkewedClock,
    /// A host's monotonic clock ran too fast or too slow.
    DriftingClock,
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
    /// What ran at a shard that was given away had its time, and was cut.
    CutShort,
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
    /// A configuration was long on its way.
    DelayedConfig,
    /// A configuration came after a newer one.
    OldConfig,
    /// A credential was withdrawn while calls ran with it.
    Withdrawal,
    /// A stable batch was too large, and went on as smaller ones.
    BatchSplit,
    /// A member of a stable batch was not sent with the others, and never will be.
    RefusedMember,
    /// A batch had as many bytes as it may have.
    BytesBound,
    /// Attempts shared a transcript.
    SharedTranscript,
}

const ALL: [Fault; 43] = [
    Fault::DelayedRead,
    Fault::LostAnswer,
    Fault::UnknownBeforeCommit,
    Fault::LostAccept,
    Fault::FenceRefusal,
    Fault::RevRefusal,
    Fault::PausePastLease,
    Fault::ZombieWrite,
    Fault::LateAttempt,
    Fault::StoppedAtTheWire,
    Fault::TakenOver,
    Fault::StartRecorded,
    Fault::StartedAlone,
    Fault::LostStart,
    Fault::StartTakenBack,
    Fault::Killed,
    Fault::KilledInCompany,
    Fault::Surplus,
    Fault::LostLease,
    Fault::SkewedClock,
    Fault::DriftingClock,
    Fault::Crash,
    Fault::LostHint,
    Fault::DuplicateHint,
    Fault::Outage,
    Fault::StalledSend,
    Fault::StaleRoute,
    Fault::Abort,
    Fault::HandOver,
    Fault::CutShort,
    Fault::FailedRefill,
    Fault::BatchTakenOver,
    Fault::BlockedLane,
    Fault::BreakerOpened,
    Fault::Disabled,
    Fault::Rotation,
    Fault::DelayedConfig,
    Fault::OldConfig,
    Fault::Withdrawal,
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
        self.add_up(fault, 1);
    }

    pub fn add_up(&mut self, fault: Fault, count: u64) {
        if count > 0 {
            *self.0.entry(fault).or_insert(0) += count;
        }
    }

    pub fn add(&mut self, other: &Self) {
        for (fault, count) in &other.0 {
            self.add_up(*fault, *count);
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
    pub stopped_at_the_wire: f64,
    pub clocks_are_off: bool,
    /// Some destinations are always good: what waits there has no excuse.
    pub some_are_steady: bool,
    /// One event kills whoever sends it. No host dies of anything else then.
    pub has_killer: bool,
    /// What is due later than this, in milliseconds, is not held: in most worlds many retries are.
    pub far_ms: u64,
    /// Crashes, pauses, outages: the mean time between two, in milliseconds.
    pub trouble_ms: u64,
}

impl Plan {
    pub fn new(seed: u64, random: &mut ChaCha8Rng) -> Self {
        let mut chance = |most: f64| if random.random_bool(0.3) { 0.0 } else { random.random::<f64>() * most };
        Self {
            delayed_read: chance(0.5),
            lost_answer: chance(0.2),
            unknown_before: chance(0.2),
            lost_hint: chance(0.6),
            duplicate_hint: chance(0.4),
            stalled_send: chance(0.03),
            stopped_at_the_wire: chance(0.004),
            clocks_are_off: random.random_bool(0.7),
            some_are_steady: random.random_bool(0.4),
            has_killer: seed.is_multiple_of(KILLER_EVERY),
            far_ms: if seed % 4 == 2 { 60_000 } else { 1_500 },
            trouble_ms: random.random_range(4_000..40_000),
        }
    }
}
