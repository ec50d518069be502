//! Who may run with caution now: a few beside each other, or one alone.

use crate::core::dispatch::HandOver;
use crate::core::fair::Fair;
use crate::core::input::AttemptId;
use railhead_model::{DeliveryKey, TenantNo};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Most hand-overs of suspects beside each other. So many are blamed together for a death, and the next host starts each of
/// them alone; and so many starts at most wait for the database.
pub(super) const BESIDE: usize = 16;

/// The places. A hand-over has one from before its start is on record until its end is: at any death, what was on record
/// without an end is what may have caused it.
#[derive(Debug, Default)]
pub(in crate::core) struct Care {
    /// Suspects that could start something, in fair turns of their own.
    pub ring: Fair,
    beside: BTreeMap<AttemptId, TenantNo>,
    alone: Option<AttemptId>,
    /// These are to run alone, in this order. Nothing of them is on record.
    queue: VecDeque<AttemptId>,
    /// How many may still start beside each other before the first of the queue does.
    round: usize,
    /// Starts on record, whose end is not.
    open: BTreeMap<DeliveryKey, AttemptId>,
    /// Their calls are over, and their results are not durable.
    over: BTreeSet<AttemptId>,
    /// Their calls are over, and starts are being taken back.
    taking_back: BTreeMap<AttemptId, HandOver>,
}

impl Care {
    /// True if one more may start beside the others. Who is to run alone waits for all of them, so they take turns: each
    /// that ran alone is followed by a round of others, if there are any, and unless too many wait by now, which hold
    /// slots.
    pub fn has_place(&self) -> bool {
        let may_wait = self.round > 0 && self.queue.len() < BESIDE;
        let is_their_turn = self.queue.is_empty() || may_wait || mutated!(CompanyAllowed);
        (self.alone.is_none() || mutated!(CompanyAllowed)) && self.beside.len() < BESIDE && is_their_turn
    }

    /// True if a tenant has its share of the places: as much as each of those who wait for one.
    pub fn is_share_taken(&self, tenant: TenantNo) -> bool {
        let share = (BESIDE / self.ring.tenants().max(1)).max(1);
        self.beside.values().filter(|of| **of == tenant).count() >= share
    }

    /// A hand-over takes a place beside the others.
    pub fn enter(&mut self, id: AttemptId, tenant: TenantNo) {
        self.round = self.round.saturating_sub(1);
        self.beside.insert(id, tenant);
    }

    /// It is to run alone: it waits for its turn, without a place.
    pub fn queue(&mut self, id: AttemptId) {
        if self.queue.is_empty() {
            self.round = 0; // those that run were its company
        }
        self.free(id);
        self.queue.push_back(id);
    }

    /// Nothing else has a place: the first of the queue may have all.
    pub fn is_free(&self) -> bool {
        (self.alone.is_none() && self.beside.is_empty()) || mutated!(CompanyAllowed)
    }

    pub fn next(&mut self) -> Option<AttemptId> {
        self.queue.pop_front()
    }

    pub fn queued(&self) -> impl Iterator<Item = AttemptId> {
        self.queue.iter().copied()
    }

    /// It does not wait any longer.
    pub fn unqueue(&mut self, id: AttemptId) {
        self.queue.retain(|queued| *queued != id);
    }

    /// From here on nothing else starts with caution.
    pub fn set_alone(&mut self, id: AttemptId) {
        self.alone = Some(id);
    }

    /// These starts are on record.
    pub fn begun(&mut self, id: AttemptId, keys: impl Iterator<Item = DeliveryKey>) {
        self.open.extend(keys.map(|key| (key, id)));
    }

    /// Starts of a hand-over that are to be taken back: on record, and no result of them will be.
    pub fn take_back(&mut self, id: AttemptId, is_held: impl Fn(&DeliveryKey) -> bool) -> Vec<DeliveryKey> {
        let keys = self.open.extract_if(.., |key, of| *of == id && !is_held(key));
        keys.map(|(key, _)| key).collect()
    }

    /// Its call is over, and starts of it are being taken back: it is not over before that is done.
    pub fn waits(&mut self, id: AttemptId, hand_over: HandOver) {
        self.taking_back.insert(id, hand_over);
    }

    /// Its starts were taken back.
    pub fn taken_back(&mut self, id: AttemptId) -> Option<HandOver> {
        self.taking_back.remove(&id)
    }

    /// True if no start is being taken back.
    pub fn is_quiet(&self) -> bool {
        self.taking_back.is_empty()
    }

    /// The hand-over is over. It keeps its place while a result of it is not durable.
    pub fn over(&mut self, id: AttemptId) {
        if self.open.values().any(|of| *of == id) && !mutated!(EndUnawaited) {
            self.over.insert(id);
        } else {
            self.leave(id);
        }
    }

    /// A result is durable.
    pub fn ended(&mut self, key: DeliveryKey) {
        let Some(id) = self.open.remove(&key) else { return };
        if !self.open.values().any(|of| *of == id) && self.over.remove(&id) {
            self.leave(id);
        }
    }

    fn leave(&mut self, id: AttemptId) {
        self.free(id);
        self.unqueue(id);
        if self.alone.take_if(|alone| *alone == id).is_some() {
            self.round = BESIDE;
        }
    }

    /// A place beside the others is free again, for its tenant too.
    fn free(&mut self, id: AttemptId) {
        if let Some(tenant) = self.beside.remove(&id) {
            self.ring.freed(tenant, false);
        }
    }
}
