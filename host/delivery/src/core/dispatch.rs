//! Starting hand-overs: whose turn it is, and how much goes into one.

use super::destination::{Destination, Status};
use super::effect::{AttemptItem, Effect};
use super::engine::Engine;
use super::fair::{Fair, QUANTUM, REPLAY_COST};
use super::input::{AttemptId, Now};
use super::slots::Room;
use super::window::{Most, Place, Slot};
use railhead_model::{DestinationNo, Outcome, TenantNo, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// How long a destination rests that looked ready and was not.
const PUZZLED_MS: u64 = 100;

/// A hand-over on its way.
#[derive(Debug)]
pub(super) struct HandOver {
    pub destination: DestinationNo,
    pub tenant: TenantNo,
    /// Counted against the slow half.
    pub slow: bool,
    /// The one that may close the breaker.
    pub probe: bool,
    /// The stable batch.
    pub batch: Option<u64>,
    pub started: Now,
    /// How many events it began with.
    pub size: u32,
    /// Without an outcome yet.
    pub open: BTreeSet<Slot>,
    /// Outcomes of a stable batch, until all are known.
    pub outcomes: BTreeMap<Slot, Outcome>,
    pub delivered: u32,
    pub failed: u32,
    pub untried: u32,
    pub too_large: u32,
    /// Its destination is a suspect: it has a place among the cautious, or waits for one.
    pub careful: bool,
    /// Its attempt was handed to the driver: until then nothing can have been sent.
    pub is_sent: bool,
    /// Its attempt, while its start is not on record yet.
    pub waiting: Option<Effect>,
    /// We cut it: what was not sent says nothing about the destination.
    pub aborted: bool,
}

/// What is to be started.
#[derive(Debug, Default)]
struct Load {
    slots: Vec<Slot>,
    replays: u32,
    batch: Option<u64>,
}

impl Engine {
    /// Starts what may be started, in fair turns, while there are slots.
    pub(super) fn dispatch(&mut self, now: Now, out: &mut Vec<Effect>) {
        // Whoever became a suspect, or is none any more, is found in the other ring.
        for careful in [true, false, true] {
            self.turns(careful, now, out);
        }
        self.next_alone(now, out);
    }

    /// The turns of suspects, or of all others.
    fn turns(&mut self, careful: bool, now: Now, out: &mut Vec<Effect>) {
        while self.may_start(now) {
            let Some((tenant, no)) = self.ring(careful).next() else { break };
            let Some(destination) = self.destinations.get_mut(&no) else {
                self.ring(careful).leave();
                continue;
            };
            let belongs = destination.is_cautious() == careful;
            if !belongs || !self.lease.owns(no) || destination.status(now) != Status::Ready {
                destination.queued = false;
                self.ring(careful).leave();
                // It may have something to wait for.
                self.consider(no, now, out);
                continue;
            }
            if careful && !self.care.has_place() {
                break;
            }
            if careful && self.care.is_share_taken(tenant) {
                self.ring(careful).park();
                continue;
            }
            if mutated!(TenantStarved) && tenant.0 == 5 {
                self.ring(careful).leave();
                continue;
            }
            // Suspects are few at a time: a tenant's own quarter is enough for them.
            match self.slots.room(tenant, destination.is_slow(), careful || self.fair.is_contended()) {
                Room::Full => break,
                Room::TenantFull => self.ring(careful).park(),
                Room::SlowFull => self.ring(careful).leave_for_slow(no),
                Room::Events(room) => self.start(no, room, now, out),
            }
        }
    }

    /// Where suspects, or all others, wait for their turn.
    pub(super) fn ring(&mut self, careful: bool) -> &mut Fair {
        if careful { &mut self.care.ring } else { &mut self.fair }
    }

    fn may_start(&self, now: Now) -> bool {
        !self.is_stopped(now) && self.group.held() < self.config.held
    }

    /// Nothing starts any more: the host is to end, or its lease is over.
    pub(super) fn is_stopped(&self, now: Now) -> bool {
        self.draining || !self.lease.lives(now)
    }

    fn start(&mut self, no: DestinationNo, room: u32, now: Now, out: &mut Vec<Effect>) {
        let Some(destination) = self.destinations.get_mut(&no) else { return };
        let careful = destination.is_cautious();
        let probe = destination.breaker.next_probe().is_some();
        let load = load(destination, room, probe, now, out);
        if load.slots.is_empty() {
            if !destination.is_stable() {
                // Ready, and nothing to start: cannot be, but must not become a loop without end.
                destination.pause_until = destination.pause_until.max(now.mono_ms + PUZZLED_MS);
            }
            destination.queued = false;
            self.ring(careful).leave();
            return self.consider(no, now, out);
        }
        let count = u32::try_from(load.slots.len()).unwrap_or(u32::MAX);
        let slow = destination.is_slow();
        destination.in_flight += count;
        destination.calls += 1;
        destination.probing |= probe;
        if let Some(bucket) = &mut destination.bucket {
            bucket.take(now.mono_ms, count);
        }
        let tenant = destination.settings.tenant;
        self.slots.take(tenant, slow, count);
        self.last_attempt += 1;
        let id = AttemptId(self.last_attempt);
        if destination.settings.ordered || load.batch.is_some() {
            self.lease.bind(id);
        }
        let waiting = begin(attempt(id, destination, &load, careful), careful, out);
        // A suspect costs a place, however few its events are: one is a whole turn.
        let cost = if careful { QUANTUM } else { count + load.replays * (REPLAY_COST - 1) };
        self.ring(careful).spend(cost);
        if careful {
            self.care.enter(id, tenant);
        }
        let hand_over = HandOver {
            destination: no,
            tenant,
            slow,
            probe,
            batch: load.batch,
            started: now,
            size: count,
            open: load.slots.into_iter().collect(),
            outcomes: BTreeMap::new(),
            delivered: 0,
            failed: 0,
            untried: 0,
            too_large: 0,
            careful,
            is_sent: !careful,
            waiting,
            aborted: false,
        };
        self.attempts.insert(id, hand_over);
        // The window may have room now.
        self.consider(no, now, out);
    }
}

/// Chooses what goes: a probe is the oldest delivery alone, a stable batch goes whole, else as many as there is room for.
fn load(destination: &mut Destination, room: u32, probe: bool, now: Now, out: &mut Vec<Effect>) -> Load {
    let mut load = Load::default();
    if let Some((number, _)) = destination.next_batch().filter(|(_, due)| *due <= now.wall) {
        load_batch(destination, number, &mut load);
        return load;
    }
    if destination.is_stable() {
        form_batch(destination, now.wall, out);
        return load;
    }
    let tokens = destination.bucket.map_or(u32::MAX, |bucket| bucket.available(now.mono_ms));
    let (count, bounds) = (destination.most().min(room).min(tokens), destination.bounds());
    let window = destination.window();
    if probe {
        window.start_oldest(now.wall, &mut load.slots);
    } else {
        load.replays = window.start(Most { events: count as usize, ..bounds }, now.wall, &mut load.slots);
    }
    load
}

fn load_batch(destination: &mut Destination, number: u64, load: &mut Load) {
    let (Some(batches), Some(window)) = (&mut destination.batches, &mut destination.window) else { return };
    load.batch = Some(number);
    load.slots = batches.start(number);
    // Members that were cancelled leave a gap.
    load.slots.retain(|slot| window.get(*slot).is_some());
    if mutated!(BatchShrinks)
        && load.slots.len() > 1
        && load.slots.iter().any(|slot| window.get(*slot).is_some_and(|entry| entry.tries > 0))
    {
        load.slots.pop();
    }
    for slot in &load.slots {
        window.place(*slot, Place::Running);
    }
    if load.slots.is_empty() {
        batches.again(number);
    }
}

/// Makes a batch of what is due. It starts once it is stored.
fn form_batch(destination: &mut Destination, now: Timestamp, out: &mut Vec<Effect>) {
    let no = destination.settings.no;
    let most = destination.bounds();
    let window = destination.window();
    let mut members = Vec::new();
    if window.is_ordered() {
        members = window.of_one_lane(most, now).0;
    } else {
        window.start(most, now, &mut members);
    }
    if members.is_empty() {
        return;
    }
    for slot in &members {
        window.batch(*slot);
    }
    out.push(Effect::OpenBatch(destination.batches.get_or_insert_default().form(no, members, now)));
}

/// Starts an attempt at once, or asks for its record first and answers with what is to be started then.
fn begin(attempt: Effect, first_record: bool, out: &mut Vec<Effect>) -> Option<Effect> {
    match attempt {
        Effect::Attempt { id, ref items, .. } if first_record => {
            let deliveries = items.iter().map(|item| item.key).collect();
            out.push(Effect::Start { id, deliveries, alone: false });
            Some(attempt)
        }
        attempt => {
            out.push(attempt);
            None
        }
    }
}

fn attempt(id: AttemptId, destination: &Destination, load: &Load, careful: bool) -> Effect {
    let no = destination.settings.no;
    let tries =
        |slot: &Slot| destination.window.as_ref().and_then(|window| window.get(*slot)).map_or(0, |entry| entry.tries);
    let items = load.slots.iter().map(|slot| AttemptItem { key: slot.key(no), n: tries(slot) + 1 }).collect();
    Effect::Attempt { id, destination: no, tenant: destination.settings.tenant, items, batch: load.batch, careful }
}
