//! What is started, and what comes of it.

use super::{Entry, Horizon, Place, Slot, Window, before};
use crate::core::lane::Next;
use railhead_model::Timestamp;
use railhead_store::Position;
use std::collections::BTreeSet;

/// Bounds of what goes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::core) struct Most {
    pub events: usize,
    pub bytes: u64,
}

impl Window {
    /// When the first of those that may be started is due.
    pub(in crate::core) fn next_due(&self) -> Option<Timestamp> {
        match (self.live.first(), self.replays.first()) {
            (Some((live, _)), Some((replay, _))) => Some(*live.min(replay)),
            (first, second) => first.or(second).map(|(due, _)| *due),
        }
    }

    /// True if at least `count` are due.
    pub(in crate::core) fn has_due(&self, count: usize, now: Timestamp) -> bool {
        let due = |set: &BTreeSet<(Timestamp, Slot)>| set.iter().take(count).take_while(|(due, _)| *due <= now).count();
        due(&self.live) + due(&self.replays) >= count
    }

    /// True if what is due reaches these bounds of events or bytes.
    pub(in crate::core) fn fills(&self, most: Most, now: Timestamp) -> bool {
        if self.live.len() + self.replays.len() < most.events && self.queued_bytes < most.bytes {
            return false; // not even with what is due later
        }
        let (mut events, mut bytes) = (0, 0);
        [&self.live, &self.replays].into_iter().any(|queue| {
            let due = queue.iter().take_while(|(due, _)| *due <= now);
            due.into_iter().any(|(_, slot)| {
                events += 1;
                bytes += self.bytes_of(*slot);
                events >= most.events || bytes >= most.bytes
            })
        })
    }

    /// What would be a batch of one lane now: its head, the first that is due, and what follows it. And whether that
    /// reaches a bound.
    pub(in crate::core) fn of_one_lane(&self, most: Most, now: Timestamp) -> (Vec<Slot>, bool) {
        let (mut slots, mut room) = (Vec::new(), most.bytes);
        let head = self.live.first().filter(|(due, _)| *due <= now);
        let lane = self.lanes.iter().zip(head).flat_map(|(lanes, (_, head))| lanes.from(*head));
        for slot in lane {
            let waits = |entry: &&Entry| entry.place == Place::Waiting && entry.due <= now;
            let Some(entry) = self.entries.get(&slot).filter(waits) else { break };
            let bytes = u64::from(entry.bytes).max(1);
            if bytes > room && !slots.is_empty() {
                return (slots, true);
            }
            room = room.saturating_sub(bytes);
            slots.push(slot);
            if slots.len() >= most.events || room == 0 {
                return (slots, true);
            }
        }
        (slots, false)
    }

    /// True if this delivery is the head of its lane.
    pub(in crate::core) fn is_head(&self, slot: Slot) -> bool {
        self.lanes.as_ref().is_none_or(|lanes| lanes.is_head(slot))
    }

    /// True if memory has what follows this delivery in its lane, and with it all that was before that.
    pub(in crate::core) fn is_followed(&self, slot: Slot) -> bool {
        self.lanes.as_ref().is_some_and(|lanes| lanes.from(slot).nth(1).is_some())
    }

    /// True while a delivery of the same lane that was refused is to be read again: what comes first may be lacking. Other
    /// lanes go on meanwhile; if they fill the window, it is them that make room for the reading.
    pub(in crate::core) fn is_unsure(&self, slot: Slot) -> bool {
        let lane = self.lanes.as_ref().and_then(|lanes| lanes.key(slot));
        lane.is_some_and(|lane| self.unsure.contains_key(&lane))
    }

    fn bytes_of(&self, slot: Slot) -> u64 {
        self.entries.get(&slot).map_or(0, |entry| u64::from(entry.bytes))
    }

    /// Starts what is due, oldest first, one replay to four others, until a bound is reached; answers with how many
    /// replays. One that is larger than the bound of bytes goes alone.
    pub(in crate::core) fn start(&mut self, most: Most, now: Timestamp, out: &mut Vec<Slot>) -> u32 {
        let mut replays = 0;
        let mut room = most.bytes;
        for _ in 0..most.events {
            let live = self.live.first().filter(|(due, _)| *due <= now).copied();
            let replay = self.replays.first().filter(|(due, _)| *due <= now).copied();
            let replays_turn = replay.is_some() && (live.is_none() || self.turn % 5 == 4);
            let Some((_, slot)) = (if replays_turn { replay } else { live }) else { break };
            let bytes = self.bytes_of(slot).max(1);
            if bytes > room && room < most.bytes && !mutated!(BytesIgnored) {
                break;
            }
            // What reaches the bound closes it, and what is past it lets nothing in.
            room = room.saturating_sub(bytes);
            self.turn = self.turn.wrapping_add(1);
            replays += u32::from(replays_turn);
            self.place(slot, Place::Running);
            out.push(slot);
        }
        replays
    }

    /// Starts the one that has been due for longest.
    pub(in crate::core) fn start_oldest(&mut self, now: Timestamp, out: &mut Vec<Slot>) {
        let oldest = self.live.first().into_iter().chain(self.replays.first()).min().copied();
        if let Some((_, slot)) = oldest.filter(|(due, _)| *due <= now) {
            self.place(slot, Place::Running);
            out.push(slot);
        }
    }

    /// Moves a delivery on its way.
    pub(in crate::core) fn place(&mut self, slot: Slot, place: Place) {
        let Some(entry) = self.entries.get_mut(&slot) else { return };
        let before = std::mem::replace(&mut entry.place, place);
        let (entry, busy) = (*entry, entry.is_busy());
        match before {
            Place::Waiting => self.dequeue(slot, &entry),
            Place::Batched => {
                self.batched.remove(&slot);
            }
            Place::Running | Place::Held => self.busy -= 1,
        }
        self.busy += usize::from(busy);
        match place {
            Place::Waiting => self.enqueue(slot),
            Place::Batched => {
                self.batched.insert(slot);
            }
            Place::Running | Place::Held => {}
        }
    }

    /// Makes a delivery a member of a stable batch.
    pub(in crate::core) fn batch(&mut self, slot: Slot) {
        self.place(slot, Place::Batched);
    }

    /// Its retry is durable: it waits again.
    pub(in crate::core) fn retried(
        &mut self,
        slot: Slot,
        change: impl FnOnce(&mut Entry),
        batched: bool,
        now: Timestamp,
    ) {
        let Some(entry) = self.entries.get_mut(&slot) else { return };
        change(entry);
        entry.stamp = self.stamp;
        let (due, beyond) = (entry.due, Position::Due(entry.due, slot.event, slot.run));
        self.place(slot, if batched { Place::Batched } else { Place::Waiting });
        if self.is_ordered() {
            if due > now {
                self.block(slot);
            }
            return;
        }
        // Beyond the horizon it need not be held; but an older read may show it as it was.
        let outside = matches!(self.horizon, Horizon::UpTo(last) if last.is_none_or(|last| beyond > last));
        if self.flight.is_none() && outside && !batched {
            self.let_go(slot);
        }
    }

    /// What follows in this delivery's lane leaves memory, but for what waits with it: the members of its batch, or those
    /// whose results are being recorded.
    fn block(&mut self, slot: Slot) {
        let Some(lanes) = &mut self.lanes else { return };
        let with = |slot: &Slot| self.entries.get(slot).is_some_and(|entry| entry.place != Place::Waiting);
        let last = lanes.from(slot).skip(1).take_while(with).last().unwrap_or(slot);
        lanes.block(last).into_iter().for_each(|slot| self.remove(slot));
    }

    /// Its end is durable. True if it may still be pushed.
    pub(in crate::core) fn ended(&mut self, slot: Slot) -> bool {
        let unheard = self.get(slot).is_some_and(|entry| entry.unheard);
        if let Some(flight) = &mut self.flight {
            flight.settled.insert(slot);
        }
        self.leave(slot);
        unheard
    }

    /// Its record was refused: whatever it is now must be read. True if its first state may still be pushed.
    pub(in crate::core) fn refused(&mut self, slot: Slot) -> bool {
        let unheard = self.get(slot).is_some_and(|entry| entry.unheard);
        if let Some(flight) = &mut self.flight {
            flight.settled.insert(slot);
        }
        if self.is_ordered() {
            // Its lane must not go on before it is known whether it ended.
            let place = self.lanes.as_ref().and_then(|lanes| Some((lanes.key(slot)?, lanes.seq(slot)?)));
            if let Some((lane, seq)) = place {
                self.unsure.entry(lane).and_modify(|last| *last = seq.max(*last)).or_insert(seq);
            }
            self.forget();
        }
        self.remove(slot);
        self.hint();
        unheard
    }

    /// Removes one for good: the next of its lane may go.
    pub(super) fn leave(&mut self, slot: Slot) {
        let next = self.lanes.as_mut().map_or(Next::Nothing, |lanes| lanes.leave(slot));
        self.remove(slot);
        match next {
            Next::Head(head) => self.enqueue(head),
            Next::ReadFrom(seq) => self.read_from(seq),
            Next::Nothing => {}
        }
    }

    /// Skipped followers must be read again.
    pub(super) fn read_from(&mut self, seq: i64) {
        let at = Position::Seq(seq);
        self.limit_horizon(before(at));
        if let Some(flight) = &mut self.flight {
            flight.limit(at);
        }
    }
}
