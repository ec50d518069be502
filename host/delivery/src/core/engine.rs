//! The engine: which input goes where.

use super::caution::Care;
use super::destination::{Destination, Status};
use super::dispatch::HandOver;
use super::effect::{Effect, RecordItem};
use super::fair::Fair;
use super::group::{Group, Haste};
use super::input::{AttemptId, Input, Now};
use super::lease::Lease;
use super::recent::Recent;
use super::slots::Slots;
use super::timers::{Timer, Timers};
use super::window::Sight;
use railhead_model::{DestinationNo, ShardNo};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::{BTreeMap, BTreeSet};

/// Bounds of one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Most events in hand-overs at once, over all destinations. At least 4.
    pub in_flight: u32,
    /// With so many results that are not durable, no attempt starts.
    pub held: usize,
    /// The longest that a result waits for others, in milliseconds.
    pub record_wait_ms: u64,
    /// Most results of one commit.
    pub record_items: usize,
    /// Deliveries that are due later than in so many milliseconds are not held in memory.
    pub far_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { in_flight: 2_048, held: 10_000, record_wait_ms: 25, record_items: 256, far_ms: 60_000 }
    }
}

/// See [`crate::core`].
#[derive(Debug)]
pub struct Engine {
    pub(super) config: Config,
    pub(super) random: ChaCha8Rng,
    pub(super) destinations: BTreeMap<DestinationNo, Destination>,
    /// Those that are to be forgotten once nothing of them is in flight.
    pub(super) going: BTreeSet<DestinationNo>,
    pub(super) attempts: BTreeMap<AttemptId, HandOver>,
    pub(super) last_attempt: u64,
    pub(super) slots: Slots,
    pub(super) fair: Fair,
    pub(super) care: Care,
    pub(super) group: Group,
    pub(super) recent: Recent,
    pub(super) timers: Timers,
    pub(super) flush_at: Option<u64>,
    pub(super) lease: Lease,
    pub(super) draining: bool,
    pub(super) fenced: bool,
}

impl Engine {
    /// An engine without destinations and without a lease. `seed` scatters its retries.
    #[must_use]
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            config,
            random: ChaCha8Rng::seed_from_u64(seed),
            destinations: BTreeMap::new(),
            going: BTreeSet::new(),
            attempts: BTreeMap::new(),
            last_attempt: 0,
            slots: Slots::new(config.in_flight),
            fair: Fair::default(),
            care: Care::default(),
            group: Group::new(config.record_wait_ms, config.record_items),
            recent: Recent::default(),
            timers: Timers::default(),
            flush_at: None,
            lease: Lease::default(),
            draining: false,
            fenced: false,
        }
    }

    /// Takes one input and appends what is to be done. `now` never goes back on the monotonic clock.
    pub fn step(&mut self, now: Now, input: Input, out: &mut Vec<Effect>) {
        if self.fenced {
            return;
        }
        let before = out.len();
        match input {
            Input::Pushed(rows) => self.pushed(&rows, now, out),
            Input::Hinted(nos) => self.hinted(&nos, now, out),
            Input::Surveyed(found) => self.surveyed(&found, now, out),
            Input::Refilled { destination, rows } => self.refilled(destination, &rows, now, out),
            Input::RefillFailed(no) => self.refill_failed(no, now, out),
            Input::Settled { attempt, outcomes } => self.settled(attempt, outcomes, now, out),
            Input::AttemptOver(attempt) => self.attempt_over(attempt, now, out),
            Input::Recorded { record, answers } => self.recorded(record, answers, now, out),
            Input::RecordUnknown(record) => self.record_unknown(record, now, out),
            Input::Lease { until_mono_ms, shards, .. } => self.leased(until_mono_ms, &shards, now, out),
            Input::Suspects(shards) => self.suspected(shards, now, out),
            Input::Started { attempt, answers } => self.started(attempt, &answers, now, out),
            Input::Unstarted(attempt) => self.unstarted(attempt, now, out),
            Input::Fenced => return self.stop(out),
            Input::Config(settings) => self.configured(*settings, now, out),
            Input::Gone(no) => self.gone(no, now, out),
            Input::Cut(shards) => self.cut(&shards, now, out),
            Input::Batches(batches) => self.batches_loaded(&batches, now, out),
            Input::BatchOpened(no, number) => self.batch_opened(no, number, now, out),
            Input::BatchClosed(no, number) => self.batch_closed(no, number, now, out),
            Input::Tick => {}
            Input::Drain => self.draining = true,
        }
        self.fire(now, out);
        self.dispatch(now, out);
        self.flush(now, out);
        self.count_writes(out.get(before..).unwrap_or_default());
        if let Some(at) = self.timers.announce(now.mono_ms) {
            out.push(Effect::WakeAt(at));
        }
    }

    /// Hand-overs that are not over.
    #[must_use]
    pub fn running(&self) -> usize {
        self.attempts.len()
    }

    /// Results that are not known to be durable.
    #[must_use]
    pub fn held(&self) -> usize {
        self.group.held()
    }

    /// True if nothing is in flight and everything is recorded.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.attempts.is_empty() && self.care.is_quiet() && self.group.held() == 0
    }

    /// True once nothing of a shard's destinations is in flight any more, all of which were told to be gone: the shard can
    /// be released.
    #[must_use]
    pub fn is_clear(&self, shard: ShardNo) -> bool {
        !self.going.iter().any(|no| no.shard() == shard)
    }

    /// True while a hand-over, a result or a batch of this destination is in flight.
    #[must_use]
    pub fn is_busy(&self, destination: DestinationNo) -> bool {
        self.destinations.get(&destination).is_some_and(Destination::is_busy)
    }

    /// Destinations that are known here.
    #[must_use]
    pub fn destinations(&self) -> usize {
        self.destinations.len()
    }

    /// Asks anew what a destination could do: refill, start, wait, or go.
    pub(super) fn consider(&mut self, no: DestinationNo, now: Now, out: &mut Vec<Effect>) {
        let owned = self.lease.owns(no);
        let Some(destination) = self.destinations.get_mut(&no) else { return };
        if destination.gone && !destination.is_busy() {
            self.forget(no);
            return;
        }
        close_batches(destination, out);
        let sight = Sight::new(self.config.far_ms, no, now.wall);
        if let (Some(window), None) = (&mut destination.window, &destination.batches) {
            window.trim(sight);
        }
        let unheard = destination.window.as_mut().map(|window| window.take_unheard()).unwrap_or_default();
        unheard.into_iter().for_each(|slot| self.recent.add(slot.key(no)));
        destination.shed(sight);
        let mut wake = refill(destination, sight, now, out);
        if owned && !destination.queued {
            match destination.status(now) {
                Status::Ready => {
                    destination.queued = true;
                    let ring = if destination.is_cautious() { &mut self.care.ring } else { &mut self.fair };
                    ring.add(destination.settings.tenant, no);
                }
                Status::At(at) => wake = wake.map_or(Some(at), |other| Some(other.min(at))),
                Status::Parked => {}
            }
        }
        if let Some(at) = wake {
            arm(&mut self.timers, destination, at);
        }
    }

    fn fire(&mut self, now: Now, out: &mut Vec<Effect>) {
        while let Some(timer) = self.timers.pop(now.mono_ms) {
            match timer {
                Timer::Lease => self.lease_over(now, out),
                Timer::Flush => self.flush_at = None,
                Timer::Destination(no) => {
                    if let Some(destination) = self.destinations.get_mut(&no) {
                        destination.armed = None;
                    }
                    self.consider(no, now, out);
                }
            }
        }
    }

    fn flush(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.draining {
            self.group.hurry(now.mono_ms);
        }
        if let Some((id, items)) = self.group.send(now.mono_ms) {
            out.push(Effect::Record { id, items });
        }
        if let Some(at) = self.group.wake_at()
            && self.flush_at.is_none_or(|set| at < set)
        {
            if let Some(set) = self.flush_at.replace(at) {
                self.timers.remove(set, Timer::Flush);
            }
            self.timers.add(at, Timer::Flush);
        }
    }

    pub(super) fn hold(&mut self, item: RecordItem, now: Now, haste: Haste) {
        self.group.add(item, now.mono_ms, haste);
    }

    /// Batches that are being stored: a shard is not released over them.
    fn count_writes(&mut self, effects: &[Effect]) {
        for effect in effects {
            let no = match effect {
                Effect::OpenBatch(batch) => batch.destination,
                Effect::CloseBatch(no, _) => *no,
                _ => continue,
            };
            if let Some(destination) = self.destinations.get_mut(&no) {
                destination.writes += 1;
            }
        }
    }

    fn forget(&mut self, no: DestinationNo) {
        self.going.remove(&no);
        if let Some(destination) = self.destinations.remove(&no)
            && let Some(at) = destination.armed
        {
            self.timers.remove(at, Timer::Destination(no));
        }
    }
}

/// Sets a destination's timer, if it is earlier than the one that is set. One tick too many is harmless.
fn arm(timers: &mut Timers, destination: &mut Destination, at: u64) {
    let timer = Timer::Destination(destination.settings.no);
    if destination.armed.is_some_and(|set| set <= at) {
        return;
    }
    if let Some(set) = destination.armed.replace(at) {
        timers.remove(set, timer);
    }
    timers.add(at, timer);
}

/// Asks for the destination's next work where it is needed; answers with when it may ask again.
fn refill(destination: &mut Destination, sight: Sight, now: Now, out: &mut Vec<Effect>) -> Option<u64> {
    if !destination.is_active() {
        return None;
    }
    if let Some(due) = destination.rests_until(sight) {
        return Some(now.mono_ms.saturating_add(u64::try_from(due.since(sight.read)).unwrap_or(0)));
    }
    let after = destination.refill_after;
    let window = destination.awake()?;
    if after > now.mono_ms {
        return (!window.is_complete()).then_some(after);
    }
    out.extend(window.ask(now.wall).map(Effect::Refill));
    None
}

/// Closes batches of which nothing is left, and those that are to go on as smaller ones.
fn close_batches(destination: &mut Destination, out: &mut Vec<Effect>) {
    let no = destination.settings.no;
    let split = destination.batches.as_mut().map(|batches| batches.take_split()).unwrap_or_default();
    out.extend(split.into_iter().map(|number| Effect::CloseBatch(no, number)));
    if let (Some(batches), Some(window)) = (&mut destination.batches, &destination.window) {
        // What memory lacks may be in the store.
        let over = batches.take_over(|slot| !window.is_complete() || window.get(slot).is_some());
        out.extend(over.into_iter().map(|number| Effect::CloseBatch(no, number)));
    }
}

#[cfg(test)]
mod tests;
