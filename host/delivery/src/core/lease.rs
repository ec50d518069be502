//! What this host owns, until when, and the end of it.

use super::caution::Care;
use super::effect::Effect;
use super::engine::Engine;
use super::input::{AttemptId, Now};
use super::timers::Timer;
use railhead_model::{DestinationNo, ShardNo};
use std::collections::BTreeSet;

/// The lease as of the last renewal. At first there is none.
#[derive(Debug, Default)]
pub(super) struct Lease {
    until: u64,
    shards: BTreeSet<ShardNo>,
    suspects: BTreeSet<ShardNo>,
    /// Hand-overs that must not outlive the lease.
    strict: BTreeSet<AttemptId>,
}

impl Lease {
    pub fn lives(&self, now: Now) -> bool {
        now.mono_ms < self.until || (mutated!(LeaseIgnored) && self.until > 0)
    }

    pub fn owns(&self, no: DestinationNo) -> bool {
        self.shards.contains(&no.shard())
    }

    /// True if these are others than before.
    pub fn suspect(&mut self, shards: Vec<ShardNo>) -> bool {
        let before = std::mem::replace(&mut self.suspects, shards.into_iter().collect());
        before != self.suspects
    }

    pub fn suspects(&self, no: DestinationNo) -> bool {
        self.suspects.contains(&no.shard())
    }

    pub fn bind(&mut self, attempt: AttemptId) {
        self.strict.insert(attempt);
    }

    pub fn unbind(&mut self, attempt: AttemptId) {
        self.strict.remove(&attempt);
    }
}

impl Engine {
    pub(super) fn leased(&mut self, until: u64, shards: &[ShardNo], now: Now, out: &mut Vec<Effect>) {
        self.timers.remove(self.lease.until, Timer::Lease);
        self.lease.until = until;
        self.timers.add(until, Timer::Lease);
        let new: BTreeSet<ShardNo> = shards.iter().copied().collect();
        if new == self.lease.shards {
            return;
        }
        let before = std::mem::replace(&mut self.lease.shards, new);
        // Only here all destinations are looked at: shards move rarely.
        let gained: Vec<_> = self
            .destinations
            .keys()
            .copied()
            .filter(|no| self.lease.owns(*no) && !before.contains(&no.shard()))
            .collect();
        for no in gained {
            self.consider(no, now, out);
        }
    }

    /// At the end of the lease the hand-overs of ordered and stable-batch destinations are cut: somebody else may
    /// start the same ones. Others finish, and are recorded if this host was not fenced.
    pub(super) fn lease_over(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.lease.lives(now) {
            return;
        }
        for id in std::mem::take(&mut self.lease.strict) {
            if let Some(attempt) = self.attempts.get_mut(&id) {
                attempt.aborted = true;
            }
            out.push(Effect::Abort(id));
        }
    }

    /// Cuts what runs at these shards. What was not settled costs no attempt, and is the next owner's to start.
    pub(super) fn cut(&mut self, shards: &[ShardNo], now: Now, out: &mut Vec<Effect>) {
        if mutated!(NeverCut) {
            return;
        }
        self.unqueue(|no| shards.contains(&no.shard()), now, out);
        for (id, hand_over) in &mut self.attempts {
            if shards.contains(&hand_over.destination.shard()) && !hand_over.aborted {
                hand_over.aborted = true;
                out.push(Effect::Abort(*id));
            }
        }
    }

    /// Fenced: nothing of this engine counts any more.
    pub(super) fn stop(&mut self, out: &mut Vec<Effect>) {
        self.fenced = true;
        out.extend(self.attempts.keys().map(|id| Effect::Abort(*id)));
        self.attempts.clear();
        self.destinations.clear();
        self.going.clear();
        self.group.clear();
        self.fair.clear();
        self.care = Care::default();
        self.timers.clear();
    }
}
