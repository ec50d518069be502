//! One destination as the engine runs it, and whether it could start something.

mod size;

use super::batch::{Batches, is_stable};
use super::breaker::Breaker;
use super::bucket::Bucket;
use super::input::{Now, Settings};
use super::window::{Rest, Sight, Slot, Window};
use railhead_model::retry::{MAX_RETRY_AFTER_MS, MIN_DELAY_MS};
use railhead_model::{DestinationState, Timestamp};
use size::bound;

/// Longest wait for a running call before another one starts with less than it could take, in milliseconds.
const GATHER_MS: i64 = 20;
/// An average latency below this is worth waiting for, in milliseconds.
const QUICK_MS: f32 = 50.0;
/// An average latency above this makes a destination slow, in milliseconds.
const SLOW_MS: f32 = 1_000.0;
/// Doublings of a throttled destination's rest that pass an hour.
const MAX_DOUBLINGS: u32 = 12;

/// What a destination could do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Start something.
    Ready,
    /// Nothing before this monotonic time.
    At(u64),
    /// Nothing until an input says otherwise.
    Parked,
}

/// See the module. A destination without work holds no window.
#[derive(Debug)]
pub(super) struct Destination {
    pub settings: Settings,
    pub breaker: Breaker,
    pub bucket: Option<Bucket>,
    pub window: Option<Box<Window>>,
    /// While there is no window because all work is due only later: when that is.
    rest: Option<Rest>,
    /// Work was pushed since the last survey.
    pub pushed: bool,
    pub batches: Option<Box<Batches>>,
    /// Events in hand-overs, without an outcome yet.
    pub in_flight: u32,
    /// Hand-overs that are not over.
    pub calls: u32,
    /// A probe is among them.
    pub probing: bool,
    /// Nothing starts before this: throttled, or handed back untried.
    pub pause_until: u64,
    /// No refill is sent before this.
    pub refill_after: u64,
    /// Hand-overs in a row that came back untried.
    pub untried: u32,
    /// Hand-overs in a row that were throttled, without a delivery between. Those that ran side by side count as one.
    throttles: u32,
    /// What started no later than this knew nothing of the last of them.
    throttled_at: u64,
    /// At most so many events per hand-over, after it was too large.
    pub hand_over: u32,
    good_calls: u32,
    latency_ms: f32,
    /// The highest seq that is known of, in a destination that keeps an order.
    pub high: Option<i64>,
    /// The timer that is set.
    pub armed: Option<u64>,
    /// Writes of its batches that are in flight.
    pub writes: u32,
    /// Its shard lost its hosts again and again.
    pub suspect: bool,
    /// So many of its attempts are still to be made with caution.
    pub caution: usize,
    /// It stands in a ring, or waits for the slow half.
    pub queued: bool,
    /// It moved away or was deleted: it goes when nothing of it is in flight.
    pub gone: bool,
    /// It asked to be disabled; nothing starts until its configuration comes.
    pub disabled: bool,
}

impl Destination {
    pub fn new(settings: Settings, now: u64) -> Self {
        let bound = bound(&settings);
        let window = Window::new(settings.no, settings.ordered, bound, false);
        Self {
            breaker: Breaker::new(settings.health.clone()),
            bucket: settings.rate_limit.map(|limit| Bucket::new(limit, now)),
            window: Some(Box::new(window)),
            rest: None,
            pushed: false,
            batches: None,
            in_flight: 0,
            calls: 0,
            probing: false,
            pause_until: 0,
            refill_after: 0,
            untried: 0,
            throttles: 0,
            throttled_at: 0,
            hand_over: u32::MAX,
            good_calls: 0,
            latency_ms: 0.0,
            high: None,
            armed: None,
            writes: 0,
            suspect: false,
            caution: bound,
            queued: false,
            gone: false,
            disabled: false,
            settings,
        }
    }

    /// Takes up a new configuration.
    pub fn configure(&mut self, settings: Settings, now: Now) {
        let reordered = settings.ordered != self.settings.ordered;
        if settings.rate_limit != self.settings.rate_limit {
            self.bucket = settings.rate_limit.map(|limit| Bucket::new(limit, now.mono_ms));
        }
        self.settings = settings;
        self.throttles = 0;
        self.disabled = false;
        self.gone = false;
        self.breaker.reconfigured(now.wall);
        let (bound, ordered, active) = (bound(&self.settings), self.settings.ordered, self.is_active());
        let window = self.window();
        window.set_bound(bound);
        if reordered {
            window.reorder(ordered);
        } else if !active {
            window.forget();
        }
    }

    /// Most entries of its window.
    pub fn window_bound(&self) -> usize {
        bound(&self.settings)
    }

    pub fn is_active(&self) -> bool {
        self.settings.state == DestinationState::Active && !self.gone && !self.disabled
    }

    /// The window, made anew if there was none: empty, and complete unless it rested.
    pub fn window(&mut self) -> &mut Window {
        let (settings, rest) = (&self.settings, self.rest.take());
        let (no, ordered, bound) = (settings.no, settings.ordered, bound(settings));
        self.window.get_or_insert_with(|| {
            Box::new(match rest {
                Some(rest) => Window::rested(no, ordered, bound, rest),
                None => Window::new(no, ordered, bound, true),
            })
        })
    }

    /// The window, if there is work that it is needed for now.
    pub fn awake(&mut self) -> Option<&mut Window> {
        (self.window.is_some() || (self.rest.is_some() && !mutated!(FarForgotten))).then(|| self.window())
    }

    /// Drops what a destination without work does not need, and one whose work is due only later. Where an order is kept
    /// waking up costs a whole read, so one that is pushed to stays awake until the next survey.
    pub fn shed(&mut self, sight: Sight) {
        self.batches.take_if(|batches| batches.is_empty());
        if self.batches.is_some() {
            return;
        }
        self.window.take_if(|window| window.is_idle() && !window.is_busy());
        let may_rest = !(self.settings.ordered && self.pushed);
        if let Some(rest) = self.window.as_ref().filter(|_| may_rest).and_then(|window| window.rest(sight)) {
            (self.window, self.rest) = (None, Some(rest));
        }
    }

    /// The first that may be due of what memory has not read, if that is later than it must look. Members of open stable
    /// batches may be among it, however late: those are looked for at once.
    pub fn rests_until(&self, sight: Sight) -> Option<Timestamp> {
        let due = match &self.window {
            Some(window) => window.next_beyond(),
            None => self.rest.and_then(Rest::due),
        };
        due.filter(|due| self.batches.is_none() && *due > sight.read)
    }

    /// True if memory accounts for work that is due at `due`: it is there, or will be read in time.
    pub fn knows(&self, due: Timestamp, sight: Sight) -> bool {
        self.rests_until(sight).is_some_and(|first| first <= due)
            || self.window.as_ref().is_some_and(|window| !window.misses(due))
            || (mutated!(FarForgotten) && self.rest.is_some())
    }

    /// True while a hand-over, a result, a refill or a batch of it is in flight.
    pub fn is_busy(&self) -> bool {
        self.calls > 0 || self.writes > 0 || self.window.as_ref().is_some_and(|window| window.is_busy())
    }

    /// Slow or failing: it shares the slow half.
    pub fn is_slow(&self) -> bool {
        self.latency_ms > SLOW_MS || self.breaker.is_failing()
    }

    /// A hand-over brought an outcome after so many milliseconds.
    pub fn measured(&mut self, ms: u64) {
        self.latency_ms += (ms as f32 - self.latency_ms) * 0.2;
    }

    /// A hand-over that started then was throttled.
    pub fn throttled(&mut self, started: u64, now: u64) {
        if self.throttles == 0 || started > self.throttled_at {
            self.throttles = self.throttles.saturating_add(1);
            self.throttled_at = now;
        }
    }

    /// It took something: the next throttling is the first again.
    pub fn unthrottled(&mut self) {
        self.throttles = 0;
    }

    /// How long a throttled destination rests, in milliseconds: what it asks for, and no less than 1 s, 2 s, 4 s, … for
    /// throttlings in a row; at most an hour.
    pub fn throttle_ms(&self, wish: u64) -> u64 {
        let floor = MIN_DELAY_MS.saturating_mul(1 << self.throttles.saturating_sub(1).min(MAX_DOUBLINGS));
        wish.max(floor).clamp(MIN_DELAY_MS, MAX_RETRY_AFTER_MS)
    }

    /// The stable batch that could go, and when.
    pub fn next_batch(&self) -> Option<(u64, Timestamp)> {
        let (batches, window) = (self.batches.as_ref()?, self.window.as_ref()?);
        batches.next(|members| {
            let left: Vec<Slot> = members.iter().filter(|slot| window.get(**slot).is_some()).copied().collect();
            let all = left.len() == members.len()
                || window.is_complete()
                || left.last().is_some_and(|slot| window.is_followed(*slot));
            // Where an order is kept, what came before it has ended.
            let first = left.iter().any(|slot| window.is_head(*slot) && !window.is_unsure(*slot));
            let due = left.iter().filter_map(|slot| Some(window.get(*slot)?.due)).max();
            due.filter(|_| all && first)
        })
    }

    /// Whether enough is due for a batch, or when it will have waited long enough.
    fn batch_due(&self, window: &Window, now: Now) -> Option<Timestamp> {
        let first = window.next_due()?;
        let Some(batch) = self.settings.batched() else { return Some(first) };
        let full = match self.settings.ordered && self.is_stable() {
            true => window.of_one_lane(self.bounds(), now.wall).1,
            false => window.fills(self.bounds(), now.wall),
        };
        if full {
            return Some(first);
        }
        Some(first.plus_ms(i64::try_from(batch.linger_ms).unwrap_or(i64::MAX)))
    }

    /// While a call of a quick destination runs, what comes waits a little for it to end: the next call then takes all of
    /// it. Measured with ten destinations under load: calls of 3 events cost twice as much CPU an event as calls of 20.
    fn gathers(&self) -> bool {
        self.calls > 0 && self.settings.batched().is_none() && self.latency_ms < QUICK_MS
    }

    /// True if a whole hand-over is due, and has room: what is less only splits the next one.
    fn has_full_call(&self, window: &Window, now: Now) -> bool {
        let size = self.size();
        self.most() >= size && window.has_due(size as usize, now.wall)
    }

    /// What it could do now. Whether a slot is free, and the lease lives, is asked elsewhere.
    pub fn status(&self, now: Now) -> Status {
        let Some(window) = self.window.as_ref().filter(|_| self.is_active()) else { return Status::Parked };
        let sessions = if self.is_cautious() { 1 } else { self.settings.sessions.max(1) };
        if self.calls >= sessions || self.in_flight >= self.limit() {
            return Status::Parked;
        }
        let mut wall = match (self.next_batch(), self.batch_due(window, now)) {
            (Some((_, batch)), Some(due)) => batch.min(due),
            (Some((_, due)), None) | (None, Some(due)) => due,
            (None, None) => return Status::Parked,
        };
        if self.gathers() && !self.has_full_call(window, now) {
            wall = wall.plus_ms(GATHER_MS);
        }
        if let Some(probe) = self.breaker.next_probe() {
            if self.probing {
                return Status::Parked;
            }
            wall = wall.max(probe);
        }
        let due = now.mono_ms.saturating_add(u64::try_from(wall.since(now.wall)).unwrap_or(0));
        let token = match &self.bucket {
            Some(bucket) if bucket.available(now.mono_ms) == 0 => bucket.ready_at(now.mono_ms),
            _ => now.mono_ms,
        };
        let at = due.max(self.pause_until).max(token);
        if at <= now.mono_ms { Status::Ready } else { Status::At(at) }
    }

    /// True if this delivery belongs to an open stable batch.
    pub fn is_batched(&self, slot: Slot) -> bool {
        self.batches.as_ref().is_some_and(|batches| batches.has(slot))
    }

    /// True if its batches are stable.
    pub fn is_stable(&self) -> bool {
        is_stable(&self.settings)
    }
}
