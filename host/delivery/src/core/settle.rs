//! What an outcome means: for its delivery, for its destination, and once it is durable.

use super::batch::combine;
use super::breaker::Transition;
use super::destination::Destination;
use super::dispatch::HandOver;
use super::effect::{Effect, RecordItem};
use super::engine::Engine;
use super::input::{AttemptId, Now, RecordId};
use super::window::{Entry, NonMin, Place, Slot};
use railhead_model::retry::{MAX_RETRY_AFTER_MS, MIN_DELAY_MS};
use railhead_model::{DeliveryKey, DestinationNo, End, Outcome, Reason, TenantNo, Timestamp};
use railhead_store::{Change, RecordAnswer};
use rand::RngExt;

/// Codes of permanent outcomes with which a destination asks to be disabled: it is gone for good (HTTP 410), or its
/// connector says so.
const DISABLING: [&str; 2] = ["destination-gone", "disable-destination"];
/// A head that must not die holds its lane and is tried again after this long.
const HOLD_MS: i64 = 3_600_000;
/// The first pause after a hand-over came back untried; doubles.
const UNTRIED_MS: u64 = 250;
/// The longest such pause.
const MAX_UNTRIED_MS: u64 = 30_000;
/// A single delivery that comes back untried so many times in a row is what is wrong: it spends an attempt.
const UNTRIED_ALONE: u32 = 3;

/// What becomes of a delivery.
#[derive(Clone, Debug, PartialEq)]
enum Verdict {
    Record(Change),
    /// Nothing happened: it waits as before.
    Again,
}

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
        let no = hand_over.destination;
        let Some(destination) = self.destinations.get_mut(&no) else { return };
        if hand_over.batch.is_none() {
            for slot in &hand_over.open {
                destination.window().place(*slot, Place::Waiting);
            }
        }
        destination.calls = destination.calls.saturating_sub(1);
        destination.probing &= !hand_over.probe;
        conclude(destination, &hand_over, now);
        if !destination.is_active() {
            destination.window().forget();
        }
        self.consider(no, now, out);
    }

    pub(super) fn recorded(&mut self, record: RecordId, answers: Vec<RecordAnswer>, now: Now, out: &mut Vec<Effect>) {
        let mut touched = std::collections::BTreeSet::new();
        for (item, answer) in self.group.recorded(record, answers) {
            let no = item.key.destination;
            if let Some(destination) = self.destinations.get_mut(&no) {
                apply(destination, &item, answer, now);
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
    fn free(&mut self, hand_over: &HandOver, count: u32, now: Now, out: &mut Vec<Effect>) {
        if let Some(destination) = self.destinations.get_mut(&hand_over.destination) {
            destination.in_flight = destination.in_flight.saturating_sub(count);
        }
        self.slots.give(hand_over.tenant, hand_over.slow, count);
        for _ in 0..count {
            let Some(no) = self.fair.freed(hand_over.tenant, hand_over.slow) else { break };
            if let Some(destination) = self.destinations.get_mut(&no) {
                destination.queued = false;
            }
            self.consider(no, now, out);
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
                let urgent = destination.settings.ordered;
                let item = record_item(destination.settings.no, hand_over.tenant, slot, &entry, change, now);
                self.hold(item, now, urgent);
            }
        }
    }

    /// A stable batch has one outcome, and all its members share what comes of it.
    fn settle_batch(&mut self, hand_over: &mut HandOver, number: u64, now: Now, out: &mut Vec<Effect>) {
        let random = self.random.random::<f64>();
        let Some(destination) = self.destinations.get_mut(&hand_over.destination) else { return };
        let members: Vec<Slot> = hand_over.outcomes.keys().chain(&hand_over.open).copied().collect();
        let entries: Vec<(Slot, Entry)> =
            members.iter().filter_map(|slot| Some((*slot, *destination.window.as_ref()?.get(*slot)?))).collect();
        let outcome = combine(&hand_over.outcomes, &members.iter().copied().collect());
        let eldest = entries.iter().max_by_key(|(_, entry)| entry.attempts).map(|(_, entry)| *entry);
        let verdict = match (&outcome, &eldest) {
            (Some(outcome), Some(eldest)) => {
                react(destination, hand_over, outcome, now, out);
                let alone = destination.untried + 1 >= UNTRIED_ALONE && !hand_over.aborted;
                verdict(destination, eldest, hand_over, outcome, alone, random, now)
            }
            _ => Verdict::Again,
        };
        let place = if verdict == Verdict::Again { Place::Batched } else { Place::Held };
        for slot in &members {
            destination.window().place(*slot, place);
        }
        let batches = destination.batches.get_or_insert_default();
        let Verdict::Record(change) = verdict else { return batches.again(number) };
        if let Change::Retry { due, attempts, .. } = change {
            out.extend(batches.postpone(hand_over.destination, number, due, attempts).map(Effect::OpenBatch));
        }
        batches.recording(number, entries.len());
        let (no, tenant) = (hand_over.destination, hand_over.tenant);
        for (slot, entry) in entries {
            self.hold(record_item(no, tenant, slot, &entry, change.clone(), now), now, false);
        }
    }
}

/// What a hand-over as a whole says of its destination.
fn conclude(destination: &mut Destination, hand_over: &HandOver, now: Now) {
    if hand_over.failed == 0 && hand_over.delivered > 0 {
        destination.breaker.grow(destination.settings.concurrency);
    }
    if hand_over.too_large > 0 || (hand_over.untried > 0 && hand_over.delivered == 0 && !hand_over.aborted) {
        destination.halve(hand_over.size);
    } else if hand_over.delivered > 0 {
        destination.went_through();
    }
    let nothing = hand_over.delivered + hand_over.failed + hand_over.too_large == 0;
    if !nothing {
        destination.untried = 0;
        return;
    }
    // Nothing was sent: not at once again, whatever the reason.
    let pause = UNTRIED_MS.saturating_mul(1 << destination.untried.min(10)).min(MAX_UNTRIED_MS);
    destination.pause_until = destination.pause_until.max(now.mono_ms + pause);
    if hand_over.untried > 0 && !hand_over.aborted {
        destination.untried = destination.untried.saturating_add(1);
    }
}

/// What one outcome does to its destination: breaker, pause, latency, and whether it is switched off.
fn react(destination: &mut Destination, hand_over: &mut HandOver, outcome: &Outcome, now: Now, out: &mut Vec<Effect>) {
    if !matches!(outcome, Outcome::Untried(_)) {
        destination.measured(now.mono_ms.saturating_sub(hand_over.started.mono_ms));
    }
    let (wall, probe) = (now.wall, hand_over.probe);
    let transition = match outcome {
        Outcome::Delivered(_) => {
            hand_over.delivered += 1;
            destination.breaker.answered(wall, true)
        }
        Outcome::Transient(reason, _) | Outcome::Uncertain(reason) => {
            hand_over.failed += 1;
            destination.breaker.failed(wall, reason, probe, false)
        }
        Outcome::Misconfigured(reason) | Outcome::RejectedCredentials(reason) => {
            hand_over.failed += 1;
            destination.breaker.failed(wall, reason, probe, true)
        }
        Outcome::Throttled(_, ms) => {
            hand_over.failed += 1;
            let ms = (*ms).clamp(MIN_DELAY_MS, MAX_RETRY_AFTER_MS);
            destination.pause_until = destination.pause_until.max(now.mono_ms + ms);
            destination.breaker.throttled(plus(wall, ms), probe)
        }
        Outcome::Permanent(reason) => {
            hand_over.failed += u32::from(is_disabling(reason));
            hand_over.delivered += u32::from(!is_disabling(reason));
            if is_disabling(reason) && !destination.disabled {
                destination.disabled = true;
                out.push(Effect::Disable(hand_over.destination, reason.clone()));
            }
            destination.breaker.answered(wall, false)
        }
        Outcome::TooLarge(_) => {
            hand_over.too_large += 1;
            destination.breaker.answered(wall, false)
        }
        Outcome::Untried(_) => {
            hand_over.untried += 1;
            Transition::Stays
        }
    };
    announce(destination, transition, out);
}

fn announce(destination: &Destination, transition: Transition, out: &mut Vec<Effect>) {
    let no = destination.settings.no;
    match transition {
        Transition::Stays => return,
        Transition::Opened => out.push(Effect::Failing(no, true)),
        Transition::Closed => out.push(Effect::Failing(no, false)),
        Transition::Postponed => {}
    }
    out.push(Effect::SaveHealth(no, destination.breaker.health().clone()));
}

/// What one outcome does to its delivery. `alone`: it came back untried too often to be somebody else's fault.
fn verdict(
    destination: &Destination,
    entry: &Entry,
    hand_over: &HandOver,
    outcome: &Outcome,
    alone: bool,
    random: f64,
    now: Now,
) -> Verdict {
    let settings = &destination.settings;
    let since = entry.since.map_or(hand_over.started.wall, NonMin::get);
    let attempts = entry.attempts.saturating_add(1);
    let end = |end, reason: &Reason| end_of(end, reason, attempts, now.wall);
    let free = |due, reason: &Reason| {
        // Costs no attempt, but not for ever: no longer than the retry span from the first attempt.
        let spent = u64::try_from(now.wall.since(since)).unwrap_or(0);
        if spent > settings.retry.window_ms() {
            return end_of(End::Dead, reason, entry.attempts, now.wall);
        }
        Change::Retry { due, attempts: entry.attempts, since }
    };
    let later = |reason: &Reason, wish| {
        let next = settings.retry.next(settings.jitter, attempts, since, now.wall, random, wish);
        next.map_or_else(|| end(End::Dead, reason), |due| Change::Retry { due, attempts, since })
    };
    let change = match outcome {
        Outcome::Delivered(reason) => end(End::Delivered, reason),
        Outcome::Permanent(reason) => end(End::Dead, reason),
        Outcome::Transient(reason, wish) => later(reason, *wish),
        Outcome::Uncertain(reason) => later(reason, None),
        Outcome::Throttled(reason, ms) => free(plus(now.wall, (*ms).clamp(MIN_DELAY_MS, MAX_RETRY_AFTER_MS)), reason),
        Outcome::Misconfigured(reason) | Outcome::RejectedCredentials(reason) => {
            let due = destination.breaker.next_probe().unwrap_or_default();
            free(due.max(plus(now.wall, MIN_DELAY_MS)), reason)
        }
        // What is too large alone is too large for ever; and a stable batch cannot be made smaller.
        Outcome::TooLarge(reason) if hand_over.size <= 1 || hand_over.batch.is_some() => end(End::Dead, reason),
        Outcome::TooLarge(reason) => free(plus(now.wall, MIN_DELAY_MS), reason),
        Outcome::Untried(reason) if alone => later(reason, None),
        Outcome::Untried(_) => return Verdict::Again,
    };
    Verdict::Record(held_back(change, settings.ordered && settings.hold_on_dead, since, now.wall))
}

/// Where a lane is to be held, its head does not die: it stays, until a person cancels it or it arrives.
fn held_back(change: Change, hold: bool, since: Timestamp, now: Timestamp) -> Change {
    match change {
        Change::End { end: End::Dead, attempts, .. } if hold => {
            Change::Retry { due: now.plus_ms(HOLD_MS), attempts, since }
        }
        other => other,
    }
}

/// A result is durable, or was refused.
fn apply(destination: &mut Destination, item: &RecordItem, answer: RecordAnswer, now: Now) {
    let slot = Slot::from(item.key);
    let batched = destination.is_batched(slot);
    let window = destination.window();
    match (answer, &item.change) {
        (RecordAnswer::Refused, _) => window.refused(slot),
        (RecordAnswer::Applied(_), Change::End { .. }) => window.ended(slot),
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
        batches.recorded(slot);
    }
    if !destination.is_active() {
        destination.window().forget();
    }
}

fn record_item(no: DestinationNo, tenant: TenantNo, slot: Slot, entry: &Entry, change: Change, now: Now) -> RecordItem {
    let n = Some(entry.tries.saturating_add(1));
    RecordItem { key: slot.key(no), tenant, rev: entry.rev, n, change, at: now.wall }
}

fn end_of(end: End, reason: &Reason, attempts: u32, at: Timestamp) -> Change {
    Change::End { end, code: reason.code.clone(), at, attempts }
}

fn is_disabling(reason: &Reason) -> bool {
    DISABLING.contains(&reason.code.as_str())
}

fn plus(at: Timestamp, ms: u64) -> Timestamp {
    at.plus_ms(i64::try_from(ms).unwrap_or(i64::MAX))
}
