//! What memory holds of one destination's unfinished deliveries.
//!
//! The promise is the *horizon*: memory holds every unfinished delivery up to it. With everything in memory the window
//! is complete, and new work is taken as it is pushed. Otherwise the rest is read from the store, one refill at a time.
//! A read may be older than what happened since it was asked for, so what was settled in the meantime is remembered
//! and dropped from its result, and news that came in the meantime limits how far the horizon moves. What is due only
//! later is not held: the horizon then ends before it, and the next read waits until its time comes near.

mod entry;
mod index;
mod news;
mod refill;
mod rest;
mod start;
#[cfg(test)]
mod tests;

pub(super) use entry::{Entry, NonMin, Place, Slot};
pub(super) use rest::{Rest, Sight};
pub(super) use start::Most;

use super::lane::{LaneKey, Lanes};
use railhead_model::{DestinationNo, EventUid, Timestamp};
use railhead_store::{Position, RefillAsk};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// How far memory holds everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Horizon {
    /// Everything there is.
    All,
    /// Everything up to and with this place; `None`: nothing is certain.
    UpTo(Option<Position>),
}

/// A refill on its way.
#[derive(Debug)]
struct Flight {
    ask: RefillAsk,
    /// Deliveries that ended or are to be read again since it was sent.
    settled: BTreeSet<Slot>,
    /// The first place of news that came since it was sent.
    pushed: Option<Position>,
    /// The order has grown since it was sent.
    grew: bool,
    /// Something unknown changed since it was sent.
    hinted: bool,
    /// The answer is of no use any more.
    void: bool,
}

impl Flight {
    /// There is news at this place, which the answer may lack.
    fn limit(&mut self, at: Position) {
        self.pushed = Some(self.pushed.map_or(at, |first| first.min(at)));
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Window {
    destination: DestinationNo,
    bound: usize,
    entries: BTreeMap<Slot, Entry>,
    /// Those that may be started once due: all that wait, or in lanes the heads.
    live: BTreeSet<(Timestamp, Slot)>,
    /// The same for replays and backfills, which weigh less.
    replays: BTreeSet<(Timestamp, Slot)>,
    /// Payload bytes of both.
    queued_bytes: u64,
    lanes: Option<Box<Lanes>>,
    horizon: Horizon,
    flight: Option<Flight>,
    stamp: u16,
    busy: usize,
    turn: u8,
    batched: BTreeSet<Slot>,
    /// Lanes of which a delivery with this seq was refused, and is not read again yet. Others may be in memory, which
    /// were with it in one batch.
    unsure: BTreeMap<LaneKey, i64>,
    /// Let go of, while the push of their first state may still come.
    unheard: Vec<Slot>,
    /// The answer of a refill is being taken in.
    refilling: bool,
}

impl Window {
    pub fn new(destination: DestinationNo, ordered: bool, bound: usize, complete: bool) -> Self {
        Self {
            destination,
            bound,
            entries: BTreeMap::new(),
            live: BTreeSet::new(),
            replays: BTreeSet::new(),
            queued_bytes: 0,
            lanes: ordered.then(Box::default),
            horizon: if complete { Horizon::All } else { Horizon::UpTo(None) },
            flight: None,
            stamp: 0,
            busy: 0,
            turn: 0,
            batched: BTreeSet::new(),
            unsure: BTreeMap::new(),
            unheard: Vec::new(),
            refilling: false,
        }
    }

    pub fn get(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(&slot)
    }

    pub fn is_complete(&self) -> bool {
        self.horizon == Horizon::All
    }

    /// True if nothing would be lost with it.
    pub fn is_idle(&self) -> bool {
        self.is_complete()
            && self.entries.is_empty()
            && self.batched.is_empty()
            && self.unheard.is_empty()
            && self.lanes.as_ref().is_none_or(|lanes| lanes.is_empty())
    }

    /// True while something of it is in flight: a hand-over, a result or a refill.
    pub fn is_busy(&self) -> bool {
        self.busy > 0 || self.flight.is_some()
    }

    pub fn set_bound(&mut self, bound: usize) {
        self.bound = bound;
    }

    pub fn is_ordered(&self) -> bool {
        self.lanes.is_some()
    }

    fn waiting(&self) -> usize {
        self.entries.len() - self.busy
    }
}

/// A place right before this one.
fn before(at: Position) -> Position {
    match at {
        Position::Seq(seq) => Position::Seq(seq.saturating_sub(1)),
        Position::Due(due, event, run) if run > 0 => Position::Due(due, event, run - 1),
        Position::Due(due, event, _) => {
            Position::Due(due, EventUid(Uuid::from_u128(event.0.as_u128().saturating_sub(1))), u32::MAX)
        }
    }
}
