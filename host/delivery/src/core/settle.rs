//! What an outcome means: for its delivery, for its destination, and once it is durable.

use super::batch::combine;
use super::destination::Destination;
use super::dispatch::HandOver;
use super::effect::{Effect, RecordItem};
use super::engine::Engine;
use super::group::Haste;
use super::input::{AttemptId, Now, RecordId};
use super::verdict::{UNTRIED_ALONE, Verdict, conclude, react, verdict};
use super::window::{Entry, NonMin, Place, Slot};
use railhead_model::{DeliveryKey, Outcome};
use railhead_store::{Change, RecordAnswer};
use rand::RngExt;

impl Engine {
    pub(super) fn settled(
        &mut self,
        id: AttemptId,
        outcomes: Vec<(DeliveryKey, Outcome)>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(mut hand_over) = self.attempts.remove(&id) else { return };
        for (key, outcome) in outcomes {
            let slot = Slot::from(key);
            if key.destination != hand_over.destination || !hand_over.open.remove(&slot) {
                continue;
            }
            self.free(&hand_over, 1, now, out);
            if hand_over.batch.is_some() {
                hand_over.outcomes.insert(slot, outcome);
            } else {
                self.settle(&mut hand_over, slot, &outcome, now, out);
            }
        }
        let no = hand_over.destination;
        self.attempts.insert(id, hand_over);
        self.consider(no, now, out);
    }

    pub(super) fn attempt_over(&mut self, id: AttemptId, now: Now, out: &mut Vec<Effect>) {
        let Some(mut hand_over) = self.attempts.remove(&id) else { return };
        self.lease.unbind(id);
        let left = u32::try_from(hand_over.open.len()).unwrap_or(u32::MAX);
        self.free(&hand_over, left, now, out);
        if let Some(number) = hand_over.batch {
            self.settle_batch(&mut hand_over, number, now, out);
        }
        if let (Some(destination), None) = (self.destinations.get_mut(&hand_over.destination), hand_over.batch) {
            for slot in &hand_over.open {
                destination.window().place(*slot, Place::Waiting);
            }
        }
        if let Some(hand_over) = self.take_back(id, hand_over, out) {
            self.over(id, &hand_over, now, out);
        }
    }

    /// A hand-over is over, and of its starts only those are on record that a result follows.
    pub(super) fn over(&mut self, id: AttemptId, hand_over: &HandOver, now: Now, out: &mut Vec<Effect>) {
        self.care.over(id);
        let no = hand_over.destination;
        let Some(destination) = self.destinations.get_mut(&no) else { return };
        destination.calls = destination.calls.saturating_sub(1);
        if hand_over.open.len() < hand_over.size as usize {
            destination.caution = destination.caution.saturating_sub(1);
        }
        destination.probing &= !hand_over.probe;
        conclude(destination, hand_over, now);
        if !destination.is_active() {
            destination.window().forget();
        }
        self.consider(no, now, out);
    }

    pub(super) fn recorded(&mut self, record: RecordId, answers: Vec<RecordAnswer>, now: Now, out: &mut Vec<Effect>) {
        let mut touched = std::collections::BTreeSet::new();
        for (item, answer) in self.group.recorded(record, answers) {
            let no = item.key.destination;
            self.care.ended(item.key);
            if let Some(destination) = self.destinations.get_mut(&no) {
                let unheard = apply(destination, &item, answer, now);
                if unheard {
                    self.recent.add(item.key);
                }
                touched.insert(no);
            }
        }
        for no in touched {
            self.consider(no, now, out);
        }
    }

    pub(super) fn record_unknown(&mut self, record: RecordId, now: Now, out: &mut Vec<Effect>) {
        if mutated!(ResultForgotten) {
            return self.recorded(record, vec![RecordAnswer::Applied(0); 256], now, out);
        }
        self.group.unknown(record, now.mono_ms);
    }

    /// Events of a hand-over are no longer in flight.
    pub(super) fn free(&mut self, hand_over: &HandOver, count: u32, now: Now, out: &mut Vec<Effect>) {
        if let Some(destination) = self.destinations.get_mut(&hand_over.destination) {
            destination.in_flight = destination.in_flight.saturating_sub(count);
        }
        self.slots.give(hand_over.tenant, hand_over.slow, count);
        for careful in [true, false] {
            for _ in 0..count {
                let Some(no) = self.ring(careful).freed(hand_over.tenant, hand_over.slow) else { break };
                if let Some(destination) = self.destinations.get_mut(&no) {
                    destination.queued = false;
                }
                self.consider(no, now, out);
            }
        }
    }

    /// One delivery of a hand-over has its outcome.
    fn settle(&mut self, hand_over: &mut HandOver, slot: Slot, outcome: &Outcome, now: Now, out: &mut Vec<Effect>) {
        let random = self.random.random::<f64>();
        let Some(destination) = self.destinations.get_mut(&hand_over.destination) else { return };
        react(destination, hand_over, outcome, now, out);
        let alone = hand_over.size == 1 && destination.untried + 1 >= UNTRIED_ALONE && !hand_over.aborted;
        let Some(entry) = destination.window().get(slot).copied() else { return };
        match verdict(destination, &entry, hand_over, outcome, alone, random, now) {
            Verdict::Again => destination.window().place(slot, Place::Waiting),
            Verdict::Record(change) => {
                destination.window().place(slot, Place::Held);
                // What follows in a lane, or is to run alone, waits for it.
                let haste = match destination.settings.ordered || hand_over.careful {
                    true => Haste::AtOnce,
                    false if hand_over.open.is_empty() => Haste::IfIdle,
                    false => Haste::None,
                };
                self.hold(record_item(hand_over, slot, &entry, change, now), now, haste);
            }
        }
    }

    /// The members of a stable batch share what comes of it, but for those that end by themselves: they leave a gap, as one
    /// that is cancelled.
    fn settle_batch(&mut self, hand_over: &mut HandOver, number: u64, now: Now, out: &mut Vec<Effect>) {
        let random = self.random.random::<f64>();
        let Some(destination) = self.destinations.get_mut(&hand_over.destination) else { return };
        let combined = combine(&hand_over.outcomes, &hand_over.open, destination.settings.ordered);
        for outcome in combined.telling() {
            react(destination, hand_over, outcome, now, out);
        }
        if combined.took_something() {
            destination.unthrottled();
        }
        let mut results = ends_alone(destination, hand_over, &combined.alone, random, now);
        let entries: Vec<(Slot, Entry)> = known(destination, &combined.others).collect();
        let eldest = entries.iter().max_by_key(|(_, entry)| entry.attempts).map(|(_, entry)| *entry);
        let verdict = match (&combined.shared, &eldest) {
            (Some(outcome), Some(eldest)) => {
                let alone = destination.untried + 1 >= UNTRIED_ALONE && !hand_over.aborted;
                verdict(destination, eldest, hand_over, outcome, alone, random, now)
            }
            _ => Verdict::Again,
        };
        let place = if verdict == Verdict::Again { Place::Batched } else { Place::Held };
        combined.others.iter().for_each(|slot| destination.window().place(*slot, place));
        combined.alone.iter().for_each(|(slot, _)| destination.window().place(*slot, Place::Held));
        let batches = destination.batches.get_or_insert_default();
        if let Verdict::Record(change) = verdict {
            if let Change::Retry { due, attempts, .. } = change {
                if matches!(combined.shared, Some(Outcome::TooLarge(_))) && hand_over.size > 1 {
                    batches.split(number, due, attempts);
                } else {
                    out.extend(batches.postpone(hand_over.destination, number, due, attempts).map(Effect::OpenBatch));
                }
            }
            results.extend(entries.into_iter().map(|(slot, entry)| (slot, entry, change.clone())));
        }
        if results.is_empty() {
            return batches.again(number);
        }
        batches.recording(number, results.len());
        let hurries = destination.settings.ordered || hand_over.careful;
        let haste = if hurries { Haste::AtOnce } else { Haste::IfIdle };
        for (slot, entry, change) in results {
            self.hold(record_item(hand_over, slot, &entry, change, now), now, haste);
        }
    }
}

/// What memory has of these.
fn known(destination: &Destination, slots: &[Slot]) -> impl Iterator<Item = (Slot, Entry)> {
    slots.iter().filter_map(|slot| Some((*slot, *destination.window.as_ref()?.get(*slot)?)))
}

/// Results of members of a batch that end by themselves, each for its own reason.
fn ends_alone(
    destination: &Destination,
    hand_over: &HandOver,
    alone: &[(Slot, Outcome)],
    random: f64,
    now: Now,
) -> Vec<(Slot, Entry, Change)> {
    let end = |(slot, outcome): &(Slot, Outcome)| {
        let entry = *destination.window.as_ref()?.get(*slot)?;
        match verdict(destination, &entry, hand_over, outcome, false, random, now) {
            Verdict::Record(change) => Some((*slot, entry, change)),
            Verdict::Again => None,
        }
    };
    alone.iter().filter_map(end).collect()
}

/// A result is durable, or was refused. True if a push of its first state may still come.
fn apply(destination: &mut Destination, item: &RecordItem, answer: RecordAnswer, now: Now) -> bool {
    let slot = Slot::from(item.key);
    let batched = destination.is_batched(slot);
    let window = destination.window();
    let ended = matches!((answer, &item.change), (RecordAnswer::Applied(_), Change::End { .. }));
    let mut unheard = false;
    match (answer, &item.change) {
        (RecordAnswer::Refused, _) => unheard = window.refused(slot),
        (RecordAnswer::Applied(_), Change::End { .. }) => unheard = window.ended(slot),
        (RecordAnswer::Applied(rev), Change::Retry { due, attempts, since }) => {
            let change = |entry: &mut Entry| {
                entry.rev = rev;
                entry.due = *due;
                entry.attempts = *attempts;
                entry.since = NonMin::new(*since);
                entry.tries = item.n.unwrap_or(entry.tries);
            };
            window.retried(slot, change, batched, now.wall);
        }
    }
    if let Some(batches) = &mut destination.batches {
        batches.recorded(slot, ended);
    }
    if !destination.is_active() {
        destination.window().forget();
    }
    unheard
}

fn record_item(hand_over: &HandOver, slot: Slot, entry: &Entry, change: Change, now: Now) -> RecordItem {
    let n = hand_over.is_sent.then_some(entry.tries.saturating_add(1));
    let key = slot.key(hand_over.destination);
    RecordItem { key, tenant: hand_over.tenant, rev: entry.rev, n, change, at: now.wall }
}
