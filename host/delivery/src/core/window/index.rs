//! Entries and their indexes.

use super::{Entry, NonMin, Place, Slot, Window};
use crate::core::lane::{Joined, LaneKey};
use railhead_model::Timestamp;
use railhead_store::{Position, WorkRow};

/// Clocks of hosts are hardly further apart than this, in milliseconds.
const SKEW_MS: i64 = 15_000;

impl Window {
    pub(super) fn insert(&mut self, slot: Slot, row: &WorkRow, now: Timestamp) {
        self.insert_into(slot, row, now, false);
    }

    /// The members of a stable batch wait together: those that follow in it do not wait for its head.
    pub(super) fn insert_member(&mut self, slot: Slot, row: &WorkRow, now: Timestamp) {
        self.insert_into(slot, row, now, true);
    }

    fn insert_into(&mut self, slot: Slot, row: &WorkRow, now: Timestamp, is_member: bool) {
        if self.lanes.is_some() && !self.join_lane(slot, row, now, is_member) {
            return;
        }
        let unheard = self.refilling && row.rev == 0;
        let entry = Entry {
            unheard,
            due: first_due(row, now),
            since: row.since.and_then(NonMin::new),
            rev: row.rev,
            attempts: row.attempts,
            tries: row.tries,
            bytes: row.bytes,
            origin: row.origin,
            place: Place::Waiting,
            stamp: self.stamp,
        };
        self.entries.insert(slot, entry);
        self.enqueue(slot);
    }

    /// Takes up what a command made of a delivery that waits. It stays where it is in its lane, whatever its head does.
    pub(super) fn update(&mut self, slot: Slot, row: &WorkRow) {
        let Some(before) = self.entries.get(&slot).copied() else { return };
        self.dequeue(slot, &before);
        let after = Entry {
            due: row.due,
            since: row.since.and_then(NonMin::new),
            rev: row.rev,
            attempts: row.attempts,
            tries: row.tries,
            stamp: self.stamp,
            ..before
        };
        self.entries.insert(slot, after);
        self.enqueue(slot);
    }

    /// False if the row is not to be held.
    fn join_lane(&mut self, slot: Slot, row: &WorkRow, now: Timestamp, is_member: bool) -> bool {
        let key = row.lane.map_or(LaneKey::Alone(slot), LaneKey::Hash);
        let Some(lanes) = &mut self.lanes else { return true };
        let head = lanes.head(key).and_then(|head| self.entries.get(&head));
        let blocked = !is_member && head.is_some_and(|head| waits(head, now));
        match lanes.join(slot, row.seq, key, blocked) {
            Joined::Skipped => return false,
            Joined::HeadBefore(before) => {
                if let Some(entry) = self.entries.get(&before).copied() {
                    self.dequeue(before, &entry);
                }
            }
            Joined::Head | Joined::Follower => {}
        }
        true
    }

    /// Makes a waiting entry startable; a follower in its lane is not.
    pub(super) fn enqueue(&mut self, slot: Slot) {
        let Some(entry) = self.entries.get(&slot).filter(|entry| entry.place == Place::Waiting) else { return };
        let startable = self.lanes.as_ref().is_none_or(|lanes| lanes.is_head(slot) || mutated!(LaneIgnored));
        let replay = self.lanes.is_none() && entry.is_replay();
        let queue = if replay { &mut self.replays } else { &mut self.live };
        if startable && queue.insert((entry.due, slot)) {
            self.queued_bytes += u64::from(entry.bytes);
        }
    }

    /// It cannot be started any more.
    pub(super) fn dequeue(&mut self, slot: Slot, entry: &Entry) {
        if self.live.remove(&(entry.due, slot)) || self.replays.remove(&(entry.due, slot)) {
            self.queued_bytes -= u64::from(entry.bytes);
        }
    }

    /// Takes an entry out of all indexes, without consequence for its lane's next.
    pub(super) fn remove(&mut self, slot: Slot) {
        let Some(entry) = self.entries.remove(&slot) else { return };
        self.busy -= usize::from(entry.is_busy());
        self.dequeue(slot, &entry);
        self.batched.remove(&slot);
        if let Some(lanes) = &mut self.lanes {
            lanes.leave(slot);
        }
    }

    pub(super) fn position(&self, row: &WorkRow) -> Position {
        if self.is_ordered() { Position::Seq(row.seq) } else { Position::Due(row.due, row.key.event, row.key.run) }
    }

    pub(super) fn place_of(&self, slot: Slot, entry: &Entry) -> Position {
        match self.lanes.as_ref().and_then(|lanes| lanes.seq(slot)) {
            Some(seq) => Position::Seq(seq),
            None => Position::Due(entry.due, slot.event, slot.run),
        }
    }
}

/// A delivery that nothing has happened to yet is due since it was made, by the clock of the host that made it. One that
/// is a little ahead of ours does not hold it back.
fn first_due(row: &WorkRow, now: Timestamp) -> Timestamp {
    let is_new = row.rev == 0 && row.attempts == 0 && row.tries == 0;
    if is_new && row.due <= now.plus_ms(SKEW_MS) { row.due.min(now) } else { row.due }
}

/// True if a lane's head waits for a later attempt: alone, or in a batch that was attempted before.
fn waits(head: &Entry, now: Timestamp) -> bool {
    head.is_waiting() && (head.due > now || (head.place == Place::Batched && head.tries > 0))
}
