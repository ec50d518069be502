//! Stable batches: members are stored before the first attempt and never change; what did not end goes on together.

use super::input::Settings;
use super::verdict::is_disabling;
use super::window::Slot;
use railhead_model::{DestinationNo, Outcome, OutcomeClass, Timestamp};
use railhead_store::work::StableBatch;
use std::collections::{BTreeMap, BTreeSet};

/// How far a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waits for its next attempt.
    Waiting,
    /// In a hand-over.
    Running,
    /// So many members' results are not durable yet.
    Recording(usize),
    /// Was too large: its end is to be stored.
    Split,
    /// Its end is being stored.
    Closing,
}

#[derive(Debug)]
struct Open {
    /// In order, as they are stored; those that ended included.
    members: Vec<Slot>,
    /// Those of which no end is known here.
    left: Vec<Slot>,
    due: Timestamp,
    attempts: u32,
    phase: Phase,
    /// What it is now is not durable yet: nothing starts before.
    storing: bool,
    /// It goes on as smaller ones once its members' results are durable.
    split: bool,
}

/// The open batches of one destination.
#[derive(Debug, Default)]
pub(super) struct Batches {
    open: BTreeMap<u64, Open>,
    of: BTreeMap<Slot, u64>,
}

impl Batches {
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub fn has(&self, slot: Slot) -> bool {
        self.of.contains_key(&slot)
    }

    /// A batch of these, to be stored.
    pub fn form(&mut self, destination: DestinationNo, members: Vec<Slot>, now: Timestamp) -> StableBatch {
        let number = number(&members);
        let keys = members.iter().map(|slot| slot.key(destination)).collect();
        self.insert(number, members, now, 0, true);
        StableBatch { destination, number, members: keys, due: now, attempts: 0 }
    }

    /// A batch that was open when its destination was loaded. What memory knows of its members is newer: it may have
    /// gone on as smaller ones since.
    pub fn load(&mut self, batch: &StableBatch) {
        let members: Vec<_> = batch.members.iter().copied().map(Slot::from).collect();
        if !self.open.contains_key(&batch.number) && !members.iter().any(|slot| self.has(*slot)) {
            self.insert(batch.number, members, batch.due, batch.attempts, false);
        }
    }

    /// It is durable.
    pub fn opened(&mut self, number: u64) {
        if let Some(open) = self.open.get_mut(&number) {
            open.storing = false;
        }
    }

    /// The first batch that waits for an attempt, and when that is due; of several the one with the oldest member.
    /// `ready`: whether all that is left of the batch is in memory, and until when it waits.
    pub fn next(&self, ready: impl Fn(&[Slot]) -> Option<Timestamp>) -> Option<(u64, Timestamp)> {
        self.open
            .iter()
            .filter(|(_, open)| open.phase == Phase::Waiting && !open.storing)
            .filter_map(|(number, open)| {
                Some((*number, ready(&open.left)?.max(open.due), open.members.first().copied()))
            })
            .min_by_key(|(_, due, first)| (*due, *first))
            .map(|(number, due, _)| (number, due))
    }

    /// Starts a batch: what is left of its members, in order.
    pub fn start(&mut self, number: u64) -> Vec<Slot> {
        let Some(open) = self.open.get_mut(&number) else { return Vec::new() };
        open.phase = Phase::Running;
        open.left.clone()
    }

    /// The attempt is over without anything to record.
    pub fn again(&mut self, number: u64) {
        if let Some(open) = self.open.get_mut(&number) {
            open.phase = Phase::Waiting;
        }
    }

    /// The attempt is over and so many members' results are to be recorded.
    pub fn recording(&mut self, number: u64, members: usize) {
        if let Some(open) = self.open.get_mut(&number) {
            open.phase = Phase::Recording(members);
        }
    }

    /// The attempt failed: the whole batch waits for the next one. Answers with what is to be stored.
    pub fn postpone(
        &mut self,
        destination: DestinationNo,
        number: u64,
        due: Timestamp,
        attempts: u32,
    ) -> Option<StableBatch> {
        let open = self.open.get_mut(&number)?;
        (open.due, open.attempts, open.storing) = (due, attempts, true);
        let members = open.members.iter().map(|slot| slot.key(destination)).collect();
        Some(StableBatch { destination, number, members, due, attempts })
    }

    /// The attempt was too large: once its results are durable, the batch ends and its members go on in smaller ones.
    pub fn split(&mut self, number: u64, due: Timestamp, attempts: u32) {
        if let Some(open) = self.open.get_mut(&number) {
            (open.due, open.attempts, open.split) = (due, attempts, true);
        }
    }

    /// One member's result is durable, or was refused. A member that ended leaves a gap.
    pub fn recorded(&mut self, slot: Slot, ended: bool) {
        let Some(open) = self.of.get(&slot).and_then(|number| self.open.get_mut(number)) else { return };
        if ended {
            open.left.retain(|other| *other != slot);
        }
        if let Phase::Recording(left) = &mut open.phase {
            *left = left.saturating_sub(1);
            if *left == 0 {
                open.phase = if open.split { Phase::Split } else { Phase::Waiting };
            }
        }
    }

    /// Batches that were too large and whose results are durable: their ends are to be stored.
    pub fn take_split(&mut self) -> Vec<u64> {
        let split = self.open.iter_mut().filter(|(_, open)| open.phase == Phase::Split);
        split
            .map(|(number, open)| {
                open.phase = Phase::Closing;
                *number
            })
            .collect()
    }

    /// The end of a batch is durable. If it had members for which `is_left` holds, they go on in two smaller batches,
    /// in their order, to be stored under numbers of their own.
    pub fn halve(
        &mut self,
        destination: DestinationNo,
        number: u64,
        is_left: impl Fn(Slot) -> bool,
    ) -> Vec<StableBatch> {
        match self.open.get_mut(&number) {
            Some(open) if matches!(open.phase, Phase::Running | Phase::Recording(_)) => {
                open.split = true; // it was let go of, and taken up again before its end was stored
                return Vec::new();
            }
            _ => {}
        }
        let Some(Open { members, left, due, attempts, .. }) = self.open.remove(&number) else { return Vec::new() };
        members.iter().for_each(|slot| _ = self.of.remove(slot));
        let left: Vec<Slot> = left.into_iter().filter(|slot| is_left(*slot)).collect();
        let (first, second) = left.split_at(left.len().div_ceil(2));
        let halves = [first, second].into_iter().filter(|half| !half.is_empty());
        halves
            .map(|half| {
                let fresh = self::number(half);
                let number = if mutated!(SplitKeepsNumber) { number } else { fresh };
                self.insert(number, half.to_vec(), due, attempts, true);
                let members = half.iter().map(|slot| slot.key(destination)).collect();
                StableBatch { destination, number, members, due, attempts }
            })
            .collect()
    }

    /// Batches that wait and have no member for which `is_left` holds: they are over, and forgotten here.
    pub fn take_over(&mut self, is_left: impl Fn(Slot) -> bool) -> Vec<u64> {
        let over: Vec<u64> = self
            .open
            .iter()
            .filter(|(_, open)| open.phase == Phase::Waiting && !open.storing)
            .filter(|(_, open)| !open.left.iter().any(|slot| is_left(*slot)))
            .map(|(number, _)| *number)
            .collect();
        for number in &over {
            for slot in self.open.remove(number).map(|open| open.members).unwrap_or_default() {
                self.of.remove(&slot);
            }
        }
        over
    }

    /// Forgets every batch that is not in a hand-over or being recorded: its destination moved away.
    pub fn let_go(&mut self) {
        self.open.retain(|_, open| matches!(open.phase, Phase::Running | Phase::Recording(_)));
        self.of.retain(|_, number| self.open.contains_key(number));
    }

    fn insert(&mut self, number: u64, members: Vec<Slot>, due: Timestamp, attempts: u32, storing: bool) {
        self.of.extend(members.iter().map(|slot| (*slot, number)));
        let (left, phase) = (members.clone(), Phase::Waiting);
        self.open.insert(number, Open { members, left, due, attempts, phase, storing, split: false });
    }
}

/// What a hand-over made of a batch.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Combined {
    /// Members that end by themselves, each as it was told: no request carried them, or the answer told them apart.
    pub alone: Vec<(Slot, Outcome)>,
    /// All others.
    pub others: Vec<Slot>,
    /// The outcome of all others; `None`: it is not certain that anything was sent.
    pub shared: Option<Outcome>,
}

/// Parts the members. What is `permanent` for a single one must not take the others along, and what arrived stands, even
/// if the others go again: of a batch that becomes several objects, those that failed are written again and no others.
/// All that is left has one outcome, the worst of its members'. `open`: members without an outcome, which were never sent.
///
/// `ordered`: what arrived after something that did not goes again behind it.
pub(super) fn combine(outcomes: &BTreeMap<Slot, Outcome>, open: &BTreeSet<Slot>, ordered: bool) -> Combined {
    if mutated!(OneRefusedForAll) && outcomes.values().any(is_permanent) {
        let shared = outcomes.values().find(|outcome| is_permanent(outcome)).cloned();
        return Combined { alone: Vec::new(), others: outcomes.keys().chain(open).copied().collect(), shared };
    }
    let arrived = open.is_empty() && outcomes.values().all(|outcome| is_permanent(outcome) || is_delivered(outcome));
    let parts = !arrived && !ordered;
    let (alone, sent): (Vec<_>, Vec<_>) =
        outcomes.iter().partition(|(_, outcome)| is_permanent(outcome) || (parts && is_delivered(outcome)));
    let certain = |outcome: &&Outcome| open.is_empty() || !is_delivered(outcome);
    let shared = sent.iter().map(|(_, outcome)| *outcome).filter(certain).max_by_key(|outcome| rank(outcome)).cloned();
    let others = sent.iter().map(|(slot, _)| **slot).chain(open.iter().copied()).collect();
    let alone = alone.into_iter().map(|(slot, outcome)| (*slot, outcome.clone())).collect();
    Combined { alone, others, shared }
}

impl Combined {
    /// True if something arrived, and nothing was put off.
    pub fn took_something(&self) -> bool {
        let put_off = matches!(self.shared, Some(Outcome::Throttled(..)));
        !put_off && self.alone.iter().any(|(_, outcome)| is_delivered(outcome))
    }

    /// The outcomes that say something of the destination. One member that was never sent does not, nor does one that
    /// arrived where the others failed.
    pub fn telling(&self) -> impl Iterator<Item = &Outcome> {
        let alone = || self.alone.iter().map(|(_, outcome)| outcome);
        let gone = alone().find(|outcome| is_disabling(outcome.reason()));
        let arrived = alone().find(|outcome| is_delivered(outcome));
        let refused = alone().next().filter(|_| self.others.is_empty() && gone.is_none());
        gone.into_iter().chain(self.shared.as_ref().or(arrived).or(refused))
    }
}

fn is_delivered(outcome: &Outcome) -> bool {
    outcome.class() == OutcomeClass::Delivered
}

fn is_permanent(outcome: &Outcome) -> bool {
    outcome.class() == OutcomeClass::Permanent
}

fn rank(outcome: &Outcome) -> u8 {
    rank_of(outcome.class())
}

/// One that must be tried again outweighs one that must not: what is left of the batch is resent whole.
const fn rank_of(class: OutcomeClass) -> u8 {
    match class {
        OutcomeClass::Delivered => 0,
        OutcomeClass::Permanent => 1,
        OutcomeClass::TooLarge => 2,
        OutcomeClass::Untried => 3,
        OutcomeClass::Transient => 4,
        OutcomeClass::Uncertain => 5,
        OutcomeClass::Throttled => 6,
        OutcomeClass::Misconfigured => 7,
        OutcomeClass::RejectedCredentials => 8,
    }
}

/// A batch's number: the same on every host that would form it, and another one for other members. FNV-1a over them, in
/// order, without the sign bit.
fn number(members: &[Slot]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for member in members {
        for byte in member.event.0.as_bytes().iter().copied().chain(member.run.to_le_bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    hash >> 1
}

/// True if the destination's batches are stable. Where an order is kept, each is of one lane.
pub(super) fn is_stable(settings: &Settings) -> bool {
    settings.batched().is_some() && settings.batch.is_some_and(|(_, stable)| stable)
}

#[cfg(test)]
mod tests;
