//! News of a destination's work, and what makes it be forgotten.

use super::{Horizon, Slot, Window, before};
use railhead_model::Timestamp;
use railhead_store::{Position, WorkRow};

impl Window {
    /// Work that was just made durable, where no order is kept.
    pub(in crate::core) fn push(&mut self, row: &WorkRow, now: Timestamp) {
        let slot = Slot::from(row.key);
        if self.entries.contains_key(&slot) {
            return;
        }
        let at = self.position(row);
        let within = match self.horizon {
            Horizon::All => true,
            Horizon::UpTo(last) => last.is_some_and(|last| at <= last),
        };
        if within && self.flight.is_none() && self.entries.len() < self.bound {
            self.insert(slot, row, now);
            return;
        }
        if let Some(flight) = &mut self.flight {
            flight.limit(at);
        }
        if within {
            self.horizon = Horizon::UpTo(Some(before(at)));
        }
    }

    /// Work that was just made durable, where an order is kept. Commits may be told out of order, so only the very
    /// next one after `high`, up to which everything is known, is taken. True if it was.
    pub(in crate::core) fn push_ordered(&mut self, row: &WorkRow, high: Option<i64>, now: Timestamp) -> bool {
        if high.is_some_and(|high| row.seq <= high) {
            return false;
        }
        let follows = high.is_some_and(|high| row.seq == high + 1);
        if self.is_complete() && self.entries.len() < self.bound && follows {
            self.insert(Slot::from(row.key), row, now);
            return true;
        }
        if self.is_complete() {
            self.horizon = Horizon::UpTo(high.map(Position::Seq));
        }
        if let Some(flight) = &mut self.flight {
            flight.grew = true;
        }
        false
    }

    /// Something changed, nobody knows what.
    pub(in crate::core) fn hint(&mut self) {
        self.horizon = Horizon::UpTo(None);
        if let Some(flight) = &mut self.flight {
            flight.hinted = !mutated!(LostWakeUp);
        }
    }

    /// True if memory has nothing that accounts for work that is due at `due`.
    pub(in crate::core) fn misses(&self, due: Timestamp) -> bool {
        self.live.first().is_none_or(|(at, _)| *at > due)
            && self.replays.first().is_none_or(|(at, _)| *at > due)
            && !self.entries.values().any(|entry| entry.due <= due)
    }

    /// Everything that waits leaves memory.
    pub(in crate::core) fn forget(&mut self) {
        let waiting: Vec<_> =
            self.entries.iter().filter(|(_, entry)| entry.is_waiting()).map(|(slot, _)| *slot).collect();
        for slot in waiting {
            self.remove(slot);
        }
        self.horizon = Horizon::UpTo(None);
        if let Some(flight) = &mut self.flight {
            flight.void = true;
        }
    }

    /// Takes up another order, with nothing but what is in flight.
    pub(in crate::core) fn reorder(&mut self, ordered: bool) {
        self.forget();
        self.unsure.clear();
        self.lanes = ordered.then(Box::default);
    }
}
