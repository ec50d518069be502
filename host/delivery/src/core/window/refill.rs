//! Reading from the store what memory lacks, one refill at a time.

use super::{Flight, Horizon, Place, Slot, Window, before};
use railhead_model::Timestamp;
use railhead_store::{Position, RefillAsk, WorkRow};
use std::collections::BTreeSet;

impl Window {
    /// The refill that should be sent now.
    pub(in crate::core) fn ask(&mut self, now: Timestamp) -> Option<RefillAsk> {
        let Horizon::UpTo(after) = self.horizon else { return None };
        let low = self.bound / 2;
        // With enough to do at hand, what lies before can wait a little: one read then serves many hints.
        let plenty = self.waiting() >= low.max(1) && (after.is_some() || self.next_due().is_some_and(|due| due <= now));
        if self.flight.is_some() || plenty {
            return None;
        }
        let limit = match after {
            Some(_) => self.bound.saturating_sub(self.waiting()).max(low),
            None => self.bound + self.busy,
        };
        let limit = u32::try_from(limit.max(1)).unwrap_or(u32::MAX);
        let ask = RefillAsk { destination: self.destination, ordered: self.is_ordered(), after, limit };
        self.stamp = self.stamp.wrapping_add(1);
        self.flight =
            Some(Flight { ask, settled: BTreeSet::new(), pushed: None, grew: false, hinted: false, void: false });
        Some(ask)
    }

    /// Takes in the answer of the refill in flight.
    pub(in crate::core) fn refilled(&mut self, rows: &[WorkRow], batched: impl Fn(Slot) -> bool, now: Timestamp) {
        let Some(flight) = self.flight.take() else { return };
        if flight.void {
            self.horizon = Horizon::UpTo(None);
            return;
        }
        let full = rows.len() >= usize::try_from(flight.ask.limit).unwrap_or(usize::MAX);
        let last = if full && !mutated!(RefillEndsEarly) { rows.last().map(|row| self.position(row)) } else { None };
        let seen: BTreeSet<Slot> = rows.iter().map(|row| Slot::from(row.key)).collect();
        self.refilling = true;
        for row in rows {
            // Where an order is kept, nothing is taken from beyond what must be read first.
            let beyond = self.is_ordered() && flight.pushed.is_some_and(|first| self.position(row) >= first);
            if !beyond {
                self.take_in(row, &flight, &batched, now);
            }
        }
        self.refilling = false;
        let reached = |seq: &i64| {
            let at = Position::Seq(*seq);
            last.is_none_or(|last| at <= last) && flight.pushed.is_none_or(|first| at < first)
        };
        self.unsure.retain(|_, seq| !reached(seq));
        self.horizon = match last {
            _ if flight.hinted => Horizon::UpTo(None),
            Some(last) => Horizon::UpTo(Some(last)),
            // Seq order is commit order: what was read has no gaps, and what came since lies behind it.
            None if flight.grew => Horizon::UpTo(rows.last().map(|row| self.position(row)).or(flight.ask.after)),
            None => Horizon::All,
        };
        if let Some(pushed) = flight.pushed {
            self.limit_horizon(before(pushed));
        }
        self.drop_vanished(&flight, last, &seen);
        self.evict();
    }

    /// The refill in flight could not be read.
    pub(in crate::core) fn refill_failed(&mut self) {
        let Some(flight) = self.flight.take() else { return };
        if flight.hinted || flight.void {
            self.horizon = Horizon::UpTo(None);
        } else if let Some(pushed) = flight.pushed {
            self.limit_horizon(before(pushed));
        }
    }

    pub(super) fn take_in(&mut self, row: &WorkRow, flight: &Flight, batched: &impl Fn(Slot) -> bool, now: Timestamp) {
        let slot = Slot::from(row.key);
        if flight.settled.contains(&slot) && !mutated!(LateRefill) {
            return;
        }
        match self.entries.get(&slot) {
            Some(entry) if mutated!(RefilledTwice) && entry.place == Place::Held => {
                self.remove(slot);
                self.insert(slot, row, now);
            }
            // Newer than what memory has: a command changed it. What is in flight finds out when it is recorded.
            Some(entry) if entry.is_waiting() && row.rev > entry.rev => self.update(slot, row),
            Some(_) => {}
            None if batched(slot) => {
                self.insert_member(slot, row, now);
                self.batch(slot);
            }
            None => self.insert(slot, row, now),
        }
    }

    /// What waits in memory within the range that was read, and was not there, is gone: cancelled, or moved.
    pub(super) fn drop_vanished(&mut self, flight: &Flight, last: Option<Position>, seen: &BTreeSet<Slot>) {
        let gone: Vec<Slot> = self
            .entries
            .iter()
            .filter(|(slot, entry)| entry.is_waiting() && entry.stamp != self.stamp && !seen.contains(slot))
            .filter(|(slot, entry)| {
                let at = self.place_of(**slot, entry);
                flight.ask.after.is_none_or(|after| at > after) && last.is_none_or(|last| at <= last)
            })
            .map(|(slot, _)| *slot)
            .collect();
        // Where no order is kept, a command may have moved it to before what was read.
        if !gone.is_empty() && !self.is_ordered() && flight.ask.after.is_some() {
            self.horizon = Horizon::UpTo(None);
        }
        for slot in gone {
            self.leave(slot);
        }
    }

    /// Lets go of what lies beyond the horizon and the bound.
    pub(super) fn evict(&mut self) {
        let Horizon::UpTo(Some(last)) = self.horizon else { return };
        while !self.is_ordered() && self.waiting() > self.bound {
            let farthest = self.live.last().max(self.replays.last()).copied();
            match farthest {
                Some((due, slot)) if Position::Due(due, slot.event, slot.run) > last => self.let_go(slot),
                _ => break,
            }
        }
    }

    pub(super) fn limit_horizon(&mut self, at: Position) {
        self.horizon = match self.horizon {
            Horizon::UpTo(None) => Horizon::UpTo(None),
            Horizon::UpTo(Some(last)) if last <= at => Horizon::UpTo(Some(last)),
            _ => Horizon::UpTo(Some(at)),
        };
    }
}
