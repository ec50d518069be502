//! Suspects: destinations of shards that lost their hosts again and again. Something there may kill the process, so they
//! run one attempt at a time, and its start is on record before the first byte is sent.

use super::effect::Effect;
use super::engine::Engine;
use super::input::{AttemptId, Now};
use super::window::Slot;
use railhead_model::{DestinationNo, Outcome, Reason, ShardNo};
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
        let ready = !self.draining && self.lease.lives(now);
        let Some(hand_over) = self.attempts.get_mut(&id) else { return };
        let Some(attempt) = hand_over.waiting.take() else { return };
        if answers.iter().all(|answer| *answer == Started::Go) && ready && !hand_over.aborted {
            return out.push(attempt);
        }
        let Effect::Attempt { destination: no, items, .. } = attempt else { return };
        let (mut poisoned, mut gone) = (Vec::new(), Vec::new());
        for (item, answer) in items.iter().zip(answers) {
            match answer {
                Started::Go => {}
                Started::Poisoned => poisoned.push((item.key, Outcome::Permanent(reason()))),
                Started::Gone => gone.push(Slot::from(item.key)),
            }
        }
        self.settled(id, poisoned, now, out);
        self.read_again(id, no, &gone, now, out);
        self.attempt_over(id, now, out);
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

fn reason() -> Reason {
    Reason::new(POISONED, "its attempts were started again and again, and none came to an end: hosts died meanwhile")
}

#[cfg(test)]
mod tests;
