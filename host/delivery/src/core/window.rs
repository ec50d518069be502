//! What memory holds of one destination's unfinished deliveries.
//!
//! The promise is the *horizon*: memory holds every unfinished delivery up to it. With everything in memory the window
//! is complete, and new work is taken as it is pushed. Otherwise the rest is read from the store, one refill at a time.
//! A read may be older than what happened since it was asked for, so what was settled in the meantime is remembered
//! and dropped from its result, and news that came in the meantime limits how far the horizon moves.

use super::lane::{Joined, LaneKey, Lanes, Next};
use railhead_model::{DeliveryKey, DestinationNo, EventUid, Origin, Timestamp};
use railhead_store::{Position, RefillAsk, WorkRow};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A delivery within its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    pub event: EventUid,
    pub run: u32,
}

impl Slot {
    pub fn key(self, destination: DestinationNo) -> DeliveryKey {
        DeliveryKey { event: self.event, destination, run: self.run }
    }
}

impl From<DeliveryKey> for Slot {
    fn from(key: DeliveryKey) -> Self {
        Self { event: key.event, run: key.run }
    }
}

/// Where a delivery is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Can be started when it is due, or follows in its lane.
    Waiting,
    /// Member of a stable batch that is not running.
    Batched,
    /// In a hand-over.
    Running,
    /// Its result is not durable yet.
    Held,
}

/// One delivery without its payload. With its [`Slot`] at most 64 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub due: Timestamp,
    pub since: Option<NonMin>,
    pub rev: u32,
    pub attempts: u32,
    pub tries: u32,
    pub origin: Origin,
    pub place: Place,
    /// The refill that it was last changed under: such a refill's answer may be older than the entry.
    stamp: u16,
}

/// A time that leaves room for `None` in its eight bytes: shifted by one, never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NonMin(std::num::NonZeroI64);

impl NonMin {
    pub fn new(at: Timestamp) -> Option<Self> {
        std::num::NonZeroI64::new(at.0.wrapping_add(1)).map(Self)
    }

    pub fn get(self) -> Timestamp {
        Timestamp(self.0.get().wrapping_sub(1))
    }
}

/// How far memory holds everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Horizon {
    /// Everything there is.
    All,
    /// Everything up to and with this place; `None`: nothing is certain.
    UpTo(Option<Position>),
}

/// A refill on its way.
#[derive(Debug)]
struct Flight {
    ask: RefillAsk,
    /// Deliveries that ended or are to be read again since it was sent.
    settled: BTreeSet<Slot>,
    /// The first place of news that came since it was sent.
    pushed: Option<Position>,
    /// The order has grown since it was sent.
    grew: bool,
    /// Something unknown changed since it was sent.
    hinted: bool,
    /// The answer is of no use any more.
    void: bool,
}

impl Flight {
    /// There is news at this place, which the answer may lack.
    fn limit(&mut self, at: Position) {
        self.pushed = Some(self.pushed.map_or(at, |first| first.min(at)));
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Window {
    destination: DestinationNo,
    bound: usize,
    entries: BTreeMap<Slot, Entry>,
    /// Those that may be started once due: all that wait, or in lanes the heads.
    live: BTreeSet<(Timestamp, Slot)>,
    /// The same for replays and backfills, which weigh less.
    replays: BTreeSet<(Timestamp, Slot)>,
    lanes: Option<Box<Lanes>>,
    horizon: Horizon,
    flight: Option<Flight>,
    stamp: u16,
    busy: usize,
    turn: u8,
    batched: BTreeSet<Slot>,
}

impl Window {
    pub fn new(destination: DestinationNo, ordered: bool, bound: usize, complete: bool) -> Self {
        Self {
            destination,
            bound,
            entries: BTreeMap::new(),
            live: BTreeSet::new(),
            replays: BTreeSet::new(),
            lanes: ordered.then(Box::default),
            horizon: if complete { Horizon::All } else { Horizon::UpTo(None) },
            flight: None,
            stamp: 0,
            busy: 0,
            turn: 0,
            batched: BTreeSet::new(),
        }
    }

    pub fn get(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(&slot)
    }

    pub fn is_complete(&self) -> bool {
        self.horizon == Horizon::All
    }

    /// True if nothing would be lost with it.
    pub fn is_idle(&self) -> bool {
        self.is_complete()
            && self.entries.is_empty()
            && self.batched.is_empty()
            && self.lanes.as_ref().is_none_or(|lanes| lanes.is_empty())
    }

    /// True while something of it is in flight: a hand-over, a result or a refill.
    pub fn is_busy(&self) -> bool {
        self.busy > 0 || self.flight.is_some()
    }

    pub fn set_bound(&mut self, bound: usize) {
        self.bound = bound;
    }

    pub fn is_ordered(&self) -> bool {
        self.lanes.is_some()
    }

    fn waiting(&self) -> usize {
        self.entries.len() - self.busy
    }
}

/// News.
impl Window {
    /// Work that was just made durable, where no order is kept. What was made before `read_at`, the time of the last
    /// answered refill, may have been read already, and even have ended since.
    pub fn push(&mut self, row: &WorkRow, read_at: Timestamp, now: Timestamp) {
        let slot = Slot::from(row.key);
        if self.entries.contains_key(&slot) {
            return;
        }
        if self.is_complete() && self.entries.len() < self.bound && row.due > read_at {
            self.insert(slot, row, now);
            return;
        }
        let at = self.position(row);
        if let Some(flight) = &mut self.flight {
            flight.limit(at);
        }
        let within = match self.horizon {
            Horizon::All => true,
            Horizon::UpTo(last) => last.is_some_and(|last| at <= last),
        };
        if within {
            self.horizon = Horizon::UpTo(Some(before(at)));
        }
    }

    /// Work that was just made durable, where an order is kept. Commits may be told out of order, so only the very
    /// next one after `high`, up to which everything is known, is taken. True if it was.
    pub fn push_ordered(&mut self, row: &WorkRow, high: Option<i64>, now: Timestamp) -> bool {
        if high.is_some_and(|high| row.seq <= high) {
            return false;
        }
        let follows = high.is_some_and(|high| row.seq == high + 1);
        if self.is_complete() && self.entries.len() < self.bound && follows {
            self.insert(Slot::from(row.key), row, now);
            return true;
        }
        if self.is_complete() {
            self.horizon = Horizon::UpTo(high.map(Position::Seq));
        }
        if let Some(flight) = &mut self.flight {
            flight.grew = true;
        }
        false
    }

    /// Something changed, nobody knows what.
    pub fn hint(&mut self) {
        self.horizon = Horizon::UpTo(None);
        if let Some(flight) = &mut self.flight {
            flight.hinted = !mutated!(LostWakeUp);
        }
    }

    /// True if memory has nothing that accounts for work that is due at `due`.
    pub fn misses(&self, due: Timestamp) -> bool {
        self.live.first().is_none_or(|(at, _)| *at > due)
            && self.replays.first().is_none_or(|(at, _)| *at > due)
            && !self.entries.values().any(|entry| entry.due <= due)
    }

    /// Everything that waits leaves memory.
    pub fn forget(&mut self) {
        let waiting: Vec<_> =
            self.entries.iter().filter(|(_, entry)| entry.is_waiting()).map(|(slot, _)| *slot).collect();
        for slot in waiting {
            self.remove(slot);
        }
        self.horizon = Horizon::UpTo(None);
        if let Some(flight) = &mut self.flight {
            flight.void = true;
        }
    }

    /// Takes up another order, with nothing but what is in flight.
    pub fn reorder(&mut self, ordered: bool) {
        self.forget();
        self.lanes = ordered.then(Box::default);
    }
}

/// Refills.
impl Window {
    /// The refill that should be sent now.
    pub fn ask(&mut self, now: Timestamp) -> Option<RefillAsk> {
        let Horizon::UpTo(after) = self.horizon else { return None };
        let low = self.bound / 2;
        // With enough to do at hand, what lies before can wait a little: one read then serves many hints.
        let plenty = self.waiting() >= low.max(1) && (after.is_some() || self.next_due().is_some_and(|due| due <= now));
        if self.flight.is_some() || plenty {
            return None;
        }
        let limit = match after {
            Some(_) => self.bound.saturating_sub(self.waiting()).max(low),
            None => self.bound + self.busy,
        };
        let limit = u32::try_from(limit.max(1)).unwrap_or(u32::MAX);
        let ask = RefillAsk { destination: self.destination, ordered: self.is_ordered(), after, limit };
        self.stamp = self.stamp.wrapping_add(1);
        self.flight =
            Some(Flight { ask, settled: BTreeSet::new(), pushed: None, grew: false, hinted: false, void: false });
        Some(ask)
    }

    /// Takes in the answer of the refill in flight.
    pub fn refilled(&mut self, rows: &[WorkRow], batched: impl Fn(Slot) -> bool, now: Timestamp) {
        let Some(flight) = self.flight.take() else { return };
        if flight.void {
            self.horizon = Horizon::UpTo(None);
            return;
        }
        let full = rows.len() >= usize::try_from(flight.ask.limit).unwrap_or(usize::MAX);
        let last = if full { rows.last().map(|row| self.position(row)) } else { None };
        let seen: BTreeSet<Slot> = rows.iter().map(|row| Slot::from(row.key)).collect();
        for row in rows {
            // Where an order is kept, nothing is taken from beyond what must be read first.
            let beyond = self.is_ordered() && flight.pushed.is_some_and(|first| self.position(row) >= first);
            if !beyond {
                self.take_in(row, &flight, &batched, now);
            }
        }
        self.horizon = match last {
            _ if flight.hinted => Horizon::UpTo(None),
            Some(last) => Horizon::UpTo(Some(last)),
            // Seq order is commit order: what was read has no gaps, and what came since lies behind it.
            None if flight.grew => Horizon::UpTo(rows.last().map(|row| self.position(row)).or(flight.ask.after)),
            None => Horizon::All,
        };
        if let Some(pushed) = flight.pushed {
            self.limit_horizon(before(pushed));
        }
        self.drop_vanished(&flight, last, &seen);
        self.evict();
    }

    /// The refill in flight could not be read.
    pub fn refill_failed(&mut self) {
        let Some(flight) = self.flight.take() else { return };
        if flight.hinted || flight.void {
            self.horizon = Horizon::UpTo(None);
        } else if let Some(pushed) = flight.pushed {
            self.limit_horizon(before(pushed));
        }
    }

    fn take_in(&mut self, row: &WorkRow, flight: &Flight, batched: &impl Fn(Slot) -> bool, now: Timestamp) {
        let slot = Slot::from(row.key);
        if flight.settled.contains(&slot) && !mutated!(LateRefill) {
            return;
        }
        match self.entries.get(&slot) {
            Some(entry) if mutated!(RefilledTwice) && entry.place == Place::Held => {
                self.remove(slot);
                self.insert(slot, row, now);
            }
            // Newer than what memory has: a command changed it. What is in flight finds out when it is recorded.
            Some(entry) if entry.is_waiting() && row.rev > entry.rev => {
                let place = entry.place;
                self.remove(slot);
                self.insert(slot, row, now);
                if place == Place::Batched {
                    self.batch(slot);
                }
            }
            Some(_) => {}
            None => {
                self.insert(slot, row, now);
                if batched(slot) {
                    self.batch(slot);
                }
            }
        }
    }

    /// What waits in memory within the range that was read, and was not there, is gone: cancelled, or moved.
    fn drop_vanished(&mut self, flight: &Flight, last: Option<Position>, seen: &BTreeSet<Slot>) {
        let gone: Vec<Slot> = self
            .entries
            .iter()
            .filter(|(slot, entry)| entry.is_waiting() && entry.stamp != self.stamp && !seen.contains(slot))
            .filter(|(slot, entry)| {
                let at = self.place_of(**slot, entry);
                flight.ask.after.is_none_or(|after| at > after) && last.is_none_or(|last| at <= last)
            })
            .map(|(slot, _)| *slot)
            .collect();
        for slot in gone {
            self.leave(slot);
        }
    }

    /// Lets go of what lies beyond the horizon and the bound.
    fn evict(&mut self) {
        let Horizon::UpTo(Some(last)) = self.horizon else { return };
        while !self.is_ordered() && self.waiting() > self.bound {
            let farthest = self.live.last().max(self.replays.last()).copied();
            match farthest {
                Some((due, slot)) if Position::Due(due, slot.event, slot.run) > last => self.remove(slot),
                _ => break,
            }
        }
    }

    fn limit_horizon(&mut self, at: Position) {
        self.horizon = match self.horizon {
            Horizon::UpTo(None) => Horizon::UpTo(None),
            Horizon::UpTo(Some(last)) if last <= at => Horizon::UpTo(Some(last)),
            _ => Horizon::UpTo(Some(at)),
        };
    }
}

/// Starting, and what comes of it.
impl Window {
    /// When the first of those that may be started is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        match (self.live.first(), self.replays.first()) {
            (Some((live, _)), Some((replay, _))) => Some(*live.min(replay)),
            (first, second) => first.or(second).map(|(due, _)| *due),
        }
    }

    /// True if at least `count` are due.
    pub fn has_due(&self, count: usize, now: Timestamp) -> bool {
        let due = |set: &BTreeSet<(Timestamp, Slot)>| set.iter().take(count).take_while(|(due, _)| *due <= now).count();
        due(&self.live) + due(&self.replays) >= count
    }

    /// Starts up to `count` that are due, oldest first, one replay to four others; answers with how many replays.
    pub fn start(&mut self, count: usize, now: Timestamp, out: &mut Vec<Slot>) -> u32 {
        let mut replays = 0;
        for _ in 0..count {
            let live = self.live.first().filter(|(due, _)| *due <= now).copied();
            let replay = self.replays.first().filter(|(due, _)| *due <= now).copied();
            let replays_turn = replay.is_some() && (live.is_none() || self.turn % 5 == 4);
            let Some((_, slot)) = (if replays_turn { replay } else { live }) else { break };
            self.turn = self.turn.wrapping_add(1);
            replays += u32::from(replays_turn);
            self.place(slot, Place::Running);
            out.push(slot);
        }
        replays
    }

    /// Starts the one that has been due for longest.
    pub fn start_oldest(&mut self, now: Timestamp, out: &mut Vec<Slot>) {
        let oldest = self.live.first().into_iter().chain(self.replays.first()).min().copied();
        if let Some((_, slot)) = oldest.filter(|(due, _)| *due <= now) {
            self.place(slot, Place::Running);
            out.push(slot);
        }
    }

    /// Moves a delivery on its way.
    pub fn place(&mut self, slot: Slot, place: Place) {
        let Some(entry) = self.entries.get_mut(&slot) else { return };
        let before = std::mem::replace(&mut entry.place, place);
        let (due, busy) = (entry.due, entry.is_busy());
        match before {
            Place::Waiting => {
                self.live.remove(&(due, slot));
                self.replays.remove(&(due, slot));
            }
            Place::Batched => {
                self.batched.remove(&slot);
            }
            Place::Running | Place::Held => self.busy -= 1,
        }
        self.busy += usize::from(busy);
        match place {
            Place::Waiting => self.enqueue(slot),
            Place::Batched => {
                self.batched.insert(slot);
            }
            Place::Running | Place::Held => {}
        }
    }

    /// Makes a delivery a member of a stable batch.
    pub fn batch(&mut self, slot: Slot) {
        self.place(slot, Place::Batched);
    }

    /// Its retry is durable: it waits again.
    pub fn retried(&mut self, slot: Slot, change: impl FnOnce(&mut Entry), batched: bool, now: Timestamp) {
        let Some(entry) = self.entries.get_mut(&slot) else { return };
        change(entry);
        entry.stamp = self.stamp;
        let (due, beyond) = (entry.due, Position::Due(entry.due, slot.event, slot.run));
        self.place(slot, if batched { Place::Batched } else { Place::Waiting });
        if self.is_ordered() {
            if due > now {
                let followers = self.lanes.as_mut().map_or_else(Vec::new, |lanes| lanes.block(slot));
                followers.into_iter().for_each(|slot| self.remove(slot));
            }
            return;
        }
        // Beyond the horizon it need not be held; but an older read may show it as it was.
        let outside = matches!(self.horizon, Horizon::UpTo(last) if last.is_none_or(|last| beyond > last));
        if self.flight.is_none() && outside && !batched {
            self.remove(slot);
        }
    }

    /// Its end is durable.
    pub fn ended(&mut self, slot: Slot) {
        if let Some(flight) = &mut self.flight {
            flight.settled.insert(slot);
        }
        self.leave(slot);
    }

    /// Its record was refused: whatever it is now must be read.
    pub fn refused(&mut self, slot: Slot) {
        if let Some(flight) = &mut self.flight {
            flight.settled.insert(slot);
        }
        if self.is_ordered() {
            // Its lane must not go on before it is known whether it ended.
            self.forget();
        }
        self.remove(slot);
        self.hint();
    }

    /// Removes one for good: the next of its lane may go.
    fn leave(&mut self, slot: Slot) {
        let next = self.lanes.as_mut().map_or(Next::Nothing, |lanes| lanes.leave(slot));
        self.remove(slot);
        match next {
            Next::Head(head) => self.enqueue(head),
            Next::ReadFrom(seq) => self.read_from(seq),
            Next::Nothing => {}
        }
    }

    /// Skipped followers must be read again.
    fn read_from(&mut self, seq: i64) {
        let at = Position::Seq(seq);
        self.limit_horizon(before(at));
        if let Some(flight) = &mut self.flight {
            flight.limit(at);
        }
    }
}

/// Entries and their indexes.
impl Window {
    fn insert(&mut self, slot: Slot, row: &WorkRow, now: Timestamp) {
        if self.lanes.is_some() && !self.join_lane(slot, row, now) {
            return;
        }
        let entry = Entry {
            due: row.due,
            since: row.since.and_then(NonMin::new),
            rev: row.rev,
            attempts: row.attempts,
            tries: row.tries,
            origin: row.origin,
            place: Place::Waiting,
            stamp: self.stamp,
        };
        self.entries.insert(slot, entry);
        self.enqueue(slot);
    }

    /// False if the row is not to be held.
    fn join_lane(&mut self, slot: Slot, row: &WorkRow, now: Timestamp) -> bool {
        let key = row.lane.map_or(LaneKey::Alone(slot), LaneKey::Hash);
        let Some(lanes) = &mut self.lanes else { return true };
        let head = lanes.head(key).and_then(|head| self.entries.get(&head));
        let blocked = head.is_some_and(|head| head.place == Place::Waiting && head.due > now);
        match lanes.join(slot, row.seq, key, blocked) {
            Joined::Skipped => return false,
            Joined::HeadBefore(before) => {
                if let Some(entry) = self.entries.get(&before) {
                    self.live.remove(&(entry.due, before));
                }
            }
            Joined::Head | Joined::Follower => {}
        }
        true
    }

    /// Makes a waiting entry startable; a follower in its lane is not.
    fn enqueue(&mut self, slot: Slot) {
        let Some(entry) = self.entries.get(&slot).filter(|entry| entry.place == Place::Waiting) else { return };
        if let Some(lanes) = &self.lanes {
            if lanes.is_head(slot) || mutated!(LaneIgnored) {
                self.live.insert((entry.due, slot));
            }
        } else if entry.is_replay() {
            self.replays.insert((entry.due, slot));
        } else {
            self.live.insert((entry.due, slot));
        }
    }

    /// Takes an entry out of all indexes, without consequence for its lane's next.
    fn remove(&mut self, slot: Slot) {
        let Some(entry) = self.entries.remove(&slot) else { return };
        self.busy -= usize::from(entry.is_busy());
        self.live.remove(&(entry.due, slot));
        self.replays.remove(&(entry.due, slot));
        self.batched.remove(&slot);
        if let Some(lanes) = &mut self.lanes {
            lanes.leave(slot);
        }
    }

    fn position(&self, row: &WorkRow) -> Position {
        if self.is_ordered() { Position::Seq(row.seq) } else { Position::Due(row.due, row.key.event, row.key.run) }
    }

    fn place_of(&self, slot: Slot, entry: &Entry) -> Position {
        match self.lanes.as_ref().and_then(|lanes| lanes.seq(slot)) {
            Some(seq) => Position::Seq(seq),
            None => Position::Due(entry.due, slot.event, slot.run),
        }
    }
}

impl Entry {
    fn is_waiting(&self) -> bool {
        matches!(self.place, Place::Waiting | Place::Batched)
    }

    fn is_busy(&self) -> bool {
        !self.is_waiting()
    }

    fn is_replay(&self) -> bool {
        matches!(self.origin, Origin::Replay | Origin::Backfill)
    }
}

/// A place right before this one.
fn before(at: Position) -> Position {
    match at {
        Position::Seq(seq) => Position::Seq(seq.saturating_sub(1)),
        Position::Due(due, event, run) if run > 0 => Position::Due(due, event, run - 1),
        Position::Due(due, event, _) => {
            Position::Due(due, EventUid(Uuid::from_u128(event.0.as_u128().saturating_sub(1))), u32::MAX)
        }
    }
}

#[cfg(test)]
mod tests;
