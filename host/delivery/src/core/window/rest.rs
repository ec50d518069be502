//! How far ahead memory looks: work that is due only later is left to the store until its time comes near.

use super::{Entry, Horizon, Slot, Window, before};
use railhead_model::{DestinationNo, EventUid, Timestamp};
use railhead_store::Position;
use uuid::Uuid;

/// How far a destination looks ahead at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::core) struct Sight {
    /// What is due later than this is not held.
    pub held: Timestamp,
    /// What may be due by then is read. Sooner than `held`, so that what was read is not let go of again.
    pub read: Timestamp,
}

impl Sight {
    /// Destinations look ahead a little differently, so that what is due everywhere at once is not read at once. None
    /// looks ahead by less than a third of `far_ms`.
    pub fn new(far_ms: u64, no: DestinationNo, now: Timestamp) -> Self {
        let lead = far_ms / 3 + no.0.unsigned_abs() % (far_ms / 2).max(1);
        let after = |ms: u64| now.plus_ms(i64::try_from(ms).unwrap_or(i64::MAX));
        Self { held: after(far_ms), read: after(lead) }
    }
}

/// What is kept of a window that holds nothing, because nothing can be started for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::core) struct Rest(Position);

impl Rest {
    /// The first that may be due.
    pub fn due(self) -> Option<Timestamp> {
        due_of(self.0)
    }
}

impl Window {
    /// A window after its rest. Where an order is kept everything is read anew.
    pub fn rested(destination: DestinationNo, ordered: bool, bound: usize, rest: Rest) -> Self {
        let mut window = Self::new(destination, ordered, bound, false);
        if !ordered {
            window.horizon = Horizon::UpTo(Some(rest.0));
        }
        window
    }

    /// Where only what is due later is not in memory: the first of that.
    pub fn next_beyond(&self) -> Option<Timestamp> {
        match self.horizon {
            Horizon::UpTo(Some(last)) => due_of(last),
            _ => None,
        }
    }

    /// Lets go of what is due only later, where no order is kept. Not while a refill is in flight, whose answer may show
    /// as it was what memory knows better.
    pub fn trim(&mut self, sight: Sight) {
        if self.is_ordered() || self.flight.is_some() {
            return;
        }
        let mut first = None;
        while let Some((due, slot)) =
            self.live.last().max(self.replays.last()).copied().filter(|(due, _)| *due > sight.held)
        {
            self.let_go(slot);
            first = Some(Position::Due(due, slot.event, slot.run));
        }
        if let Some(first) = first {
            self.limit_horizon(before(first));
        }
    }

    /// What to keep of it instead, if it holds nothing that is needed soon.
    pub fn rest(&self, sight: Sight) -> Option<Rest> {
        if self.is_busy() || !self.batched.is_empty() || !self.unsure.is_empty() {
            return None;
        }
        if self.is_ordered() {
            let is_all =
                self.is_complete() || (self.horizon != Horizon::UpTo(None) && self.waiting() >= self.bound / 2);
            let first = self.next_due().filter(|due| is_all && *due > sight.held)?;
            return Some(Rest(Position::Due(first, EventUid(Uuid::nil()), 0)));
        }
        match self.horizon {
            Horizon::UpTo(Some(last)) if self.entries.is_empty() && due_of(last)? > sight.read => Some(Rest(last)),
            _ => None,
        }
    }

    /// Takes out of memory what is still unfinished. What may yet be pushed as it was first is remembered: the push must
    /// not bring it back.
    pub(super) fn let_go(&mut self, slot: Slot) {
        let is_old = |entry: &&Entry| entry.unheard && entry.rev > 0;
        if self.get(slot).filter(is_old).is_some() {
            self.unheard.push(slot);
        }
        self.remove(slot);
    }

    /// Those that were let go of and may still be pushed.
    pub fn take_unheard(&mut self) -> Vec<Slot> {
        std::mem::take(&mut self.unheard)
    }
}

fn due_of(at: Position) -> Option<Timestamp> {
    match at {
        Position::Due(due, ..) => Some(due),
        Position::Seq(_) => None,
    }
}
