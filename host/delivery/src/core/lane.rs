//! Lanes of a destination that keeps an order: in a lane, nothing starts before the one before it has ended.
//!
//! Only the head of a lane can be started. While a head waits for its next attempt its followers are not held in
//! memory: the lane keeps the first skipped seq, and they are read again once the head has ended.

use super::window::Slot;
use std::collections::BTreeMap;

/// A lane; a delivery without one is a lane of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LaneKey {
    /// Hash of the lane's value.
    Hash([u8; 16]),
    /// Of one delivery.
    Alone(Slot),
}

#[derive(Debug, Default)]
struct Lane {
    members: BTreeMap<i64, Slot>,
    skipped: Option<i64>,
}

/// What became of a row that was offered to its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// It may start.
    Head,
    /// It may start, and this one, which was the head, may not any more.
    HeadBefore(Slot),
    /// Others of its lane come first.
    Follower,
    /// It is not kept: its lane is blocked.
    Skipped,
}

/// What follows an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// This one may start.
    Head(Slot),
    /// Everything from this seq on must be read again.
    ReadFrom(i64),
    /// The lane is empty.
    Nothing,
}

/// All lanes of a destination that have members in memory or skipped ones.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    of: BTreeMap<Slot, (i64, LaneKey)>,
    lanes: BTreeMap<LaneKey, Lane>,
}

impl Lanes {
    pub fn seq(&self, slot: Slot) -> Option<i64> {
        self.of.get(&slot).map(|(seq, _)| *seq)
    }

    pub fn key(&self, slot: Slot) -> Option<LaneKey> {
        self.of.get(&slot).map(|(_, key)| *key)
    }

    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    pub fn head(&self, key: LaneKey) -> Option<Slot> {
        self.lanes.get(&key)?.members.first_key_value().map(|(_, slot)| *slot)
    }

    pub fn is_head(&self, slot: Slot) -> bool {
        self.of.get(&slot).is_some_and(|(_, key)| self.head(*key) == Some(slot))
    }

    /// This delivery and what follows it in its lane, as far as memory has it.
    pub fn from(&self, slot: Slot) -> impl Iterator<Item = Slot> + '_ {
        let place = self.of.get(&slot).and_then(|(seq, key)| Some((*seq, self.lanes.get(key)?)));
        place.into_iter().flat_map(|(seq, lane)| lane.members.range(seq..).map(|(_, slot)| *slot))
    }

    /// Offers a row. `blocked`: the lane's head waits for a later attempt.
    pub fn join(&mut self, slot: Slot, seq: i64, key: LaneKey, blocked: bool) -> Joined {
        let lane = self.lanes.entry(key).or_default();
        let head = lane.members.first_key_value().map(|(seq, slot)| (*seq, *slot));
        let after_skipped = lane.skipped.is_some_and(|skipped| skipped <= seq);
        if after_skipped || (blocked && head.is_some_and(|(first, _)| first < seq)) {
            lane.skipped = Some(lane.skipped.map_or(seq, |skipped| skipped.min(seq)));
            return Joined::Skipped;
        }
        lane.members.insert(seq, slot);
        self.of.insert(slot, (seq, key));
        match head {
            None => Joined::Head,
            Some((first, before)) if seq < first => Joined::HeadBefore(before),
            Some(_) => Joined::Follower,
        }
    }

    /// The head of this delivery's lane waits for a later attempt: its followers leave memory and are answered.
    pub fn block(&mut self, head: Slot) -> Vec<Slot> {
        let Some((seq, key)) = self.of.get(&head).copied() else { return Vec::new() };
        let Some(lane) = self.lanes.get_mut(&key) else { return Vec::new() };
        let followers = lane.members.split_off(&(seq + 1));
        if let Some((first, _)) = followers.first_key_value() {
            lane.skipped = Some(lane.skipped.map_or(*first, |skipped| skipped.min(*first)));
        }
        for slot in followers.values() {
            self.of.remove(slot);
        }
        followers.into_values().collect()
    }

    /// This delivery left memory: it ended, or is to be read again.
    pub fn leave(&mut self, slot: Slot) -> Next {
        let Some((seq, key)) = self.of.remove(&slot) else { return Next::Nothing };
        let Some(lane) = self.lanes.get_mut(&key) else { return Next::Nothing };
        let was_head = lane.members.first_key_value().is_some_and(|(first, _)| *first == seq);
        lane.members.remove(&seq);
        match (lane.members.first_key_value(), lane.skipped) {
            (Some((_, head)), _) if was_head => Next::Head(*head),
            (Some(_), _) => Next::Nothing,
            (None, skipped) => {
                self.lanes.remove(&key);
                skipped.map_or(Next::Nothing, Next::ReadFrom)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use railhead_model::{EventUid, Timestamp};

    const LANE: LaneKey = LaneKey::Hash([1; 16]);

    fn slot(n: u8) -> Slot {
        Slot { event: EventUid::new(Timestamp(1), [n; 10]), run: 0 }
    }

    #[test]
    fn one_after_the_other() {
        let mut lanes = Lanes::default();
        assert_eq!(lanes.join(slot(1), 1, LANE, false), Joined::Head);
        assert_eq!(lanes.join(slot(2), 2, LANE, false), Joined::Follower);
        assert_eq!(lanes.join(slot(3), 3, LaneKey::Alone(slot(3)), false), Joined::Head);
        assert_eq!(lanes.leave(slot(1)), Next::Head(slot(2)));
        assert_eq!(lanes.leave(slot(2)), Next::Nothing);
        assert_eq!(lanes.leave(slot(3)), Next::Nothing);
        assert!(lanes.is_empty());
    }

    #[test]
    fn followers_of_a_blocked_head_are_skipped_and_read_again() {
        let mut lanes = Lanes::default();
        lanes.join(slot(1), 1, LANE, false);
        lanes.join(slot(2), 2, LANE, false);
        assert_eq!(lanes.block(slot(1)), [slot(2)]);
        assert_eq!(lanes.join(slot(3), 3, LANE, true), Joined::Skipped);
        assert_eq!(lanes.join(slot(2), 2, LANE, true), Joined::Skipped);
        assert_eq!(lanes.leave(slot(1)), Next::ReadFrom(2));
    }

    #[test]
    fn nothing_joins_behind_a_gap() {
        let mut lanes = Lanes::default();
        lanes.join(slot(1), 1, LANE, false);
        lanes.join(slot(2), 2, LANE, true);
        assert_eq!(lanes.join(slot(3), 3, LANE, false), Joined::Skipped, "2 was skipped");
        assert_eq!(lanes.leave(slot(1)), Next::ReadFrom(2));
    }

    #[test]
    fn an_earlier_one_that_is_found_late_goes_first() {
        let mut lanes = Lanes::default();
        lanes.join(slot(5), 5, LANE, false);
        assert_eq!(lanes.join(slot(4), 4, LANE, false), Joined::HeadBefore(slot(5)));
        assert_eq!(lanes.head(LANE), Some(slot(4)));
    }
}
