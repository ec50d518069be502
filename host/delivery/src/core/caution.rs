//! Suspects: destinations of shards that lost their hosts again and again. Something there may kill the process, so each
//! runs one attempt at a time, and its start is on record before the first byte is sent.
//!
//! What was on record when a host died may have killed it, or have only been beside what did. So what no host has started
//! in vain runs beside others, a few at a time, and what a host did not survive runs alone: if the next one dies, nothing
//! else was there to do it. One death blames the innocent too, the second does not.

mod care;

pub(super) use care::Care;

use super::destination::Destination;
use super::dispatch::HandOver;
use super::effect::Effect;
use super::engine::Engine;
use super::input::{AttemptId, Now};
use super::window::{Place, Slot};
use railhead_model::{DeliveryKey, DestinationNo, Outcome, Reason, ShardNo};
use railhead_store::Started;

/// Code of deliveries that were started again and again, and never ended: they die.
const POISONED: &str = "poisoned";

impl Engine {
    /// Shards are suspects now, or no longer.
    pub(super) fn suspected(&mut self, shards: Vec<ShardNo>, now: Now, out: &mut Vec<Effect>) {
        if !self.lease.suspect(shards) {
            return;
        }
        let mut changed = Vec::new();
        for (no, destination) in &mut self.destinations {
            let suspect = self.lease.suspects(*no);
            if std::mem::replace(&mut destination.suspect, suspect) != suspect {
                destination.caution = destination.window_bound();
                changed.push(*no);
            }
        }
        for no in changed {
            self.consider(no, now, out);
        }
    }

    /// The start of a hand-over is on record, or is not to be.
    pub(super) fn started(&mut self, id: AttemptId, answers: &[Started], now: Now, out: &mut Vec<Effect>) {
        let stopped = self.is_stopped(now);
        let Some(hand_over) = self.attempts.get_mut(&id) else { return };
        let Some(attempt) = hand_over.waiting.take() else { return };
        let Effect::Attempt { destination: no, ref items, .. } = attempt else { return };
        let of = |which| {
            let answered = items.iter().zip(answers).filter(move |(_, answer)| **answer == which);
            answered.map(|(item, _)| item.key).collect::<Vec<DeliveryKey>>()
        };
        let (poisoned, alone) = (of(Started::Poisoned), of(Started::Alone));
        let gone: Vec<_> = of(Started::Gone).into_iter().map(Slot::from).collect();
        self.care.begun(id, of(Started::Go).into_iter());
        let may_go = may_go(hand_over, stopped, self.destinations.get(&no));
        if !poisoned.is_empty() || !gone.is_empty() || answers.len() < items.len() {
            let poisoned = poisoned.into_iter().map(|key| (key, Outcome::Permanent(reason()))).collect();
            self.settled(id, poisoned, now, out);
            self.read_again(id, no, &gone, now, out);
            self.attempt_over(id, now, out);
        } else if !may_go {
            self.attempt_over(id, now, out);
        } else if !alone.is_empty() {
            hand_over.waiting = Some(attempt);
            self.wait_alone(id, out);
        } else {
            (hand_over.is_sent, hand_over.started) = (true, now);
            out.push(attempt);
        }
    }

    /// A hand-over waits until it may run alone. What of it is on record by now (members of a batch that differ) must not
    /// be blamed for what runs meanwhile.
    fn wait_alone(&mut self, id: AttemptId, out: &mut Vec<Effect>) {
        let deliveries = self.care.take_back(id, |_| false);
        if deliveries.is_empty() {
            self.care.queue(id);
        } else {
            out.push(Effect::Unstart { id, deliveries });
        }
    }

    /// The first that is to run alone does, once nothing else runs with caution. None of them waits for a lease, or after
    /// a signal to stop.
    pub(super) fn next_alone(&mut self, now: Now, out: &mut Vec<Effect>) {
        let stopped = self.is_stopped(now);
        while stopped || self.care.is_free() {
            let Some(id) = self.care.next() else { return };
            let Some(hand_over) = self.attempts.get(&id) else { continue };
            let may_go = may_go(hand_over, stopped, self.destinations.get(&hand_over.destination));
            match &hand_over.waiting {
                Some(Effect::Attempt { items, .. }) if may_go => {
                    self.care.set_alone(id);
                    let deliveries = items.iter().map(|item| item.key).collect();
                    out.push(Effect::Start { id, deliveries, alone: true });
                }
                _ => self.attempt_over(id, now, out),
            }
        }
    }

    /// What of destinations that move away waits for its turn, does not.
    pub(super) fn unqueue(&mut self, moves: impl Fn(DestinationNo) -> bool, now: Now, out: &mut Vec<Effect>) {
        let of = |id: &AttemptId| self.attempts.get(id).is_some_and(|hand_over| moves(hand_over.destination));
        for id in self.care.queued().filter(of).collect::<Vec<_>>() {
            self.care.unqueue(id);
            self.attempt_over(id, now, out);
        }
    }

    /// A call is over. Answers with its hand-over unless starts of it must be taken back first, whose deliveries wait again
    /// without an attempt on record.
    pub(super) fn take_back(&mut self, id: AttemptId, hand_over: HandOver, out: &mut Vec<Effect>) -> Option<HandOver> {
        let window = self.destinations.get(&hand_over.destination).and_then(|destination| destination.window.as_ref());
        let is_held = |key: &DeliveryKey| {
            window.and_then(|window| window.get(Slot::from(*key))).is_some_and(|entry| entry.place == Place::Held)
        };
        let deliveries = self.care.take_back(id, is_held);
        if deliveries.is_empty() {
            return Some(hand_over);
        }
        out.push(Effect::Unstart { id, deliveries });
        self.care.waits(id, hand_over);
        None
    }

    /// Starts were taken back.
    pub(super) fn unstarted(&mut self, id: AttemptId, now: Now, out: &mut Vec<Effect>) {
        if let Some(hand_over) = self.care.taken_back(id) {
            self.over(id, &hand_over, now, out);
        } else if let Some(hand_over) = self.attempts.get(&id).filter(|hand_over| hand_over.waiting.is_some()) {
            if may_go(hand_over, self.is_stopped(now), self.destinations.get(&hand_over.destination)) {
                self.care.queue(id);
            } else {
                self.attempt_over(id, now, out);
            }
        }
    }

    /// These ended while their start was being recorded: what they are now must be read.
    fn read_again(&mut self, id: AttemptId, no: DestinationNo, gone: &[Slot], now: Now, out: &mut Vec<Effect>) {
        let Some(mut hand_over) = self.attempts.remove(&id) else { return };
        for slot in gone {
            if !hand_over.open.remove(slot) {
                continue;
            }
            self.free(&hand_over, 1, now, out);
            if let Some(destination) = self.destinations.get_mut(&no)
                && destination.window().refused(*slot)
            {
                self.recent.add(slot.key(no));
            }
        }
        self.attempts.insert(id, hand_over);
    }
}

/// Whether a hand-over that was to start a while ago still is.
fn may_go(hand_over: &HandOver, stopped: bool, destination: Option<&Destination>) -> bool {
    !stopped && !hand_over.aborted && destination.is_some_and(Destination::is_active)
}

fn reason() -> Reason {
    Reason::new(POISONED, "its attempts were started again and again, and none came to an end: hosts died meanwhile")
}

#[cfg(test)]
mod tests;
