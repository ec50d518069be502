//! What is due at a live destination is attempted within the survey's period and the lease, and in its turn.
//!
//! A destination is live while it is active, its breaker is closed and it does not rest; while its owner, or somebody
//! who can take over from it, runs and reaches the database; and while there are slots for it. From the moment that all
//! of this is so, and something is due, an attempt must start within [`BOUND_MS`]. And what could have started for so
//! long is not overtaken by what came after that.

use super::failure::{Check, Failure};
use super::host::{HELD, Host, IN_FLIGHT, Running};
use super::leases::{GIVE_MS, SURVEY_MS};
use super::receiver::MAX_ANSWER_MS;
use super::store::MAX_READ_MS;
use super::world::{Event, World};
use crate::core::{AttemptId, Input, Settings};
use railhead_model::{
    DeliveryKey, DestinationNo, DestinationState, HostId, Ordering, Origin, Outcome, TenantNo, Timestamp,
};
use railhead_store::WorkRow;
use railhead_store::directory::Destination;
use railhead_store::lease::LEASE_MS;
use std::collections::{BTreeMap, BTreeSet};

/// How often it is looked at, in milliseconds.
const LOOK_MS: u64 = 1_000;
/// Statements on their way, the lease task's pace, which looks every 2 s, a refill that failed and its pause, in
/// milliseconds.
const STATEMENTS_MS: u64 = 4_500;
/// The survey's period, the lease, and the simulated delays: a read that is under way and the one after it.
const BOUND_MS: u64 = SURVEY_MS + LEASE_MS as u64 + 2 * MAX_READ_MS + STATEMENTS_MS;
/// A shard that is given away is out of a host's hands within this, whatever runs there: what runs has its time, a read
/// may be under way, and there are results and the release to be written.
const GIVEN_MS: u64 = GIVE_MS + MAX_READ_MS + STATEMENTS_MS;
/// Suspects wait for each other: for each of the other destinations of a world one that hangs alone, and a round beside it,
/// in milliseconds.
const SUSPECTS_MS: u64 = 8 * 2 * MAX_ANSWER_MS;
/// The longest that a destination rests after something came back untried, in milliseconds.
const UNTRIED_MS: u64 = 30_000;
/// The longest that a throttled one rests, in milliseconds.
const THROTTLED_MS: u64 = 3_600_000;

/// What is known of one destination.
#[derive(Default)]
struct Watched {
    tenant: Option<TenantNo>,
    is_active: bool,
    is_open: bool,
    rests_until: u64,
    throttles: u32,
    /// The last hand-over of which something arrived.
    took: Option<(HostId, AttemptId)>,
    /// Of the last throttled hand-over.
    throttled: Option<(HostId, AttemptId)>,
    linger_ms: i64,
    is_ordered: bool,
    is_stable: bool,
    /// Something could have started since.
    idle_since: Option<u64>,
    /// What could have started, and since when.
    waits: BTreeMap<(bool, DeliveryKey), u64>,
}

impl Watched {
    /// A hand-over is over: it took something, or it put something off.
    fn over(&mut self, call: (HostId, AttemptId)) {
        if self.took == Some(call) && self.throttled != Some(call) {
            self.throttles = 0;
        }
    }

    fn reset(&mut self) {
        self.idle_since = None;
        self.waits.clear();
    }
}

#[derive(Default)]
pub struct Liveness {
    destinations: BTreeMap<DestinationNo, Watched>,
    /// When a host or the database was last disturbed.
    pub disturbed: u64,
}

impl Liveness {
    /// A destination as it is stored now.
    pub fn stored(&mut self, destination: &Destination) {
        let spec = &destination.spec;
        let watched = self.destinations.entry(destination.no).or_default();
        watched.tenant = Some(destination.tenant);
        watched.is_active = destination.state == DestinationState::Active;
        watched.linger_ms = spec.batch.map_or(0, |batch| i64::try_from(batch.linger_ms).unwrap_or(i64::MAX));
        watched.is_ordered = spec.ordering != Ordering::None;
        watched.is_stable = spec.metadata.contains_key("stable");
        watched.reset();
    }

    /// An owner begins with a breaker as it was stored.
    pub fn loaded(&mut self, settings: &Settings) {
        self.breaker(settings.no, settings.health.open);
    }

    pub fn breaker(&mut self, no: DestinationNo, is_open: bool) {
        self.destinations.entry(no).or_default().is_open = is_open;
    }

    /// Outcomes that let a destination rest.
    pub fn heard(&mut self, now: u64, host: &Host, input: &Input) {
        match input {
            Input::Settled { attempt, outcomes } => {
                let Some(call) = host.running.get(attempt) else { return };
                for (key, outcome) in outcomes {
                    self.settled(now, (host.id, *attempt), key.destination, outcome);
                }
                if outcomes.iter().any(|(_, outcome)| !matches!(outcome, Outcome::Delivered(_))) {
                    self.reset(call.no);
                }
            }
            Input::AttemptOver(id) => {
                if let Some(watched) = host.running.get(id).and_then(|call| self.destinations.get_mut(&call.no)) {
                    watched.over((host.id, *id));
                }
                if let Some(call) = host.running.get(id)
                    && !call.open.is_empty()
                    && !call.batch
                {
                    self.rest(call.no, now + UNTRIED_MS);
                }
            }
            _ => {}
        }
    }

    fn settled(&mut self, now: u64, call: (HostId, AttemptId), no: DestinationNo, outcome: &Outcome) {
        let watched = self.destinations.entry(no).or_default();
        match outcome {
            Outcome::Untried(_) => self.rest(no, now + UNTRIED_MS),
            Outcome::Delivered(_) if watched.is_stable => watched.took = Some(call),
            Outcome::Delivered(_) => watched.throttles = 0,
            Outcome::Throttled(_, wish) => {
                watched.throttles += u32::from(watched.throttled.replace(call) != Some(call));
                let floor = 1_000 << (watched.throttles.min(12) - u32::from(watched.throttles > 0));
                // A clock that runs slow rests for longer.
                let rest = (*wish).max(floor).min(THROTTLED_MS);
                self.rest(no, now + rest + rest / 100);
            }
            _ => {}
        }
    }

    fn rest(&mut self, no: DestinationNo, until: u64) {
        let watched = self.destinations.entry(no).or_default();
        watched.rests_until = watched.rests_until.max(until);
        watched.reset();
    }

    fn reset(&mut self, no: DestinationNo) {
        self.destinations.entry(no).or_default().reset();
    }

    /// A hand-over starts: nothing is overtaken that could have started for long before any of it could.
    pub fn starts(&mut self, now: u64, no: DestinationNo, rows: &[WorkRow]) -> Result<(), Failure> {
        let Some(watched) = self.destinations.get_mut(&no) else { return Ok(()) };
        watched.idle_since = None;
        for is_replay in [false, true] {
            let start: BTreeSet<_> =
                rows.iter().filter(|row| self::is_replay(row) == is_replay).map(|row| row.key).collect();
            let since = |key: &DeliveryKey| watched.waits.get(&(is_replay, *key)).copied().unwrap_or(now);
            let Some(newest) = start.iter().map(since).max() else { continue };
            let waits = watched.waits.iter().filter(|((class, key), _)| *class == is_replay && !start.contains(key));
            if let Some(((_, key), since)) = waits.min_by_key(|(_, since)| **since)
                && newest > since + BOUND_MS
            {
                let what =
                    format!("{key} could start since {since}, and what could since {newest} goes before it at {now}");
                return Err(Failure::new(Check::Liveness, what));
            }
        }
        for row in rows {
            watched.waits.remove(&(self::is_replay(row), row.key));
        }
        Ok(())
    }
}

impl World {
    /// Something happened to a host or to the database: every clock of liveness starts anew.
    pub fn disturb(&mut self) {
        self.liveness.disturbed = self.now;
        self.liveness.destinations.values_mut().for_each(Watched::reset);
    }

    pub fn look(&mut self) -> Result<(), Failure> {
        self.at(LOOK_MS, Event::Look);
        if self.is_out() || !self.hosts.iter().any(|host| self.is_up(host)) {
            self.disturb();
            return Ok(());
        }
        self.hosts.iter().filter(|host| self.is_up(host)).try_for_each(|host| self.gives(host))?;
        let mut could: BTreeMap<DestinationNo, Vec<WorkRow>> = BTreeMap::new();
        for row in self.could_start() {
            could.entry(row.key.destination).or_default().push(row);
        }
        for no in self.moods.keys().copied().collect::<Vec<_>>() {
            let rows = could.remove(&no).unwrap_or_default();
            self.watch(no, &rows)?;
        }
        Ok(())
    }

    /// Nothing that runs keeps a shard from going.
    fn gives(&self, host: &Host) -> Result<(), Failure> {
        let quiet = self.liveness.disturbed.max(host.paused_until).max(host.unsure_until);
        let late = host.releasing.iter().find(|(_, giving)| self.now > giving.since.max(quiet) + GIVEN_MS);
        late.map_or(Ok(()), |(no, giving)| {
            Err(Failure::new(Check::Liveness, format!("{no:?} is on its way since {}, and still here", giving.since)))
        })
    }

    fn watch(&mut self, no: DestinationNo, rows: &[WorkRow]) -> Result<(), Failure> {
        let (is_live, has_room) = (self.is_live(no), self.has_room(no));
        let bound = BOUND_MS + if self.is_suspect(no) { SUSPECTS_MS } else { 0 };
        let now = self.now;
        let Some(watched) = self.liveness.destinations.get_mut(&no) else { return Ok(()) };
        if !is_live {
            watched.reset();
            return Ok(());
        }
        let keys: BTreeSet<_> = rows.iter().map(|row| (is_replay(row), row.key)).collect();
        watched.waits.retain(|key, _| keys.contains(key));
        for key in keys {
            watched.waits.entry(key).or_insert(now);
        }
        if rows.is_empty() || !has_room {
            watched.idle_since = None;
            return Ok(());
        }
        let since = *watched.idle_since.get_or_insert(now);
        if now - since > bound {
            let what = format!("{} of {} at {no} could start since {since}, and nothing did", rows[0].key, rows.len());
            return Err(Failure::new(Check::Liveness, what));
        }
        Ok(())
    }

    fn is_up(&self, host: &Host) -> bool {
        host.alive && host.paused_until <= self.now && host.until > 0
    }

    /// True if nothing about the destination, its breaker or its owner stands in the way.
    fn is_live(&self, no: DestinationNo) -> bool {
        let Some(watched) = self.liveness.destinations.get(&no) else { return false };
        let awake = watched.is_active && !watched.is_open && watched.rests_until <= self.now;
        // What is given away waits for what runs.
        let leaving = self.owner(no).is_some_and(|host| self.hosts[host].releasing.contains_key(&no.shard()));
        awake && !leaving
    }

    fn is_suspect(&self, no: DestinationNo) -> bool {
        self.owner(no).is_some_and(|host| self.hosts[host].suspects.contains(&no.shard()))
    }

    /// True if a slot is free for certain, and nothing of it is in flight.
    fn has_room(&self, no: DestinationNo) -> bool {
        let Some(host) = self.owner(no).map(|host| &self.hosts[host]) else { return true };
        let Some(tenant) = self.liveness.destinations.get(&no).and_then(|watched| watched.tenant) else { return false };
        let (all, own) = host.in_flight(tenant);
        let quiet = !host.running.values().any(|call| call.no == no);
        quiet && all < IN_FLIGHT as usize / 2 && own < IN_FLIGHT as usize / 4 && host.engine.held() < HELD / 2
    }

    /// What a host could start now, whoever owns it and whatever its clock shows.
    fn could_start(&self) -> Vec<WorkRow> {
        let slowest = self.hosts.iter().map(|host| host.clock.skew).min().unwrap_or(0).min(0);
        let wall = self.wall().plus_ms(slowest);
        let waiting = self.waiting_batches(wall);
        let live: BTreeSet<_> = self.moods.keys().copied().filter(|no| self.is_live(*no)).collect();
        let mut lanes: BTreeSet<(DestinationNo, Option<[u8; 16]>)> = BTreeSet::new();
        let (mut rows, mut ordered): (Vec<&WorkRow>, Vec<&WorkRow>) = self
            .store
            .unfinished()
            .filter(|row| live.contains(&row.key.destination))
            .partition(|row| row.lane.is_none());
        ordered.sort_unstable_by_key(|row| (row.key.destination, row.seq));
        ordered.retain(|row| lanes.insert((row.key.destination, row.lane)));
        rows.append(&mut ordered);
        rows.into_iter().filter(|row| !waiting.contains(&row.key) && self.is_due(row, wall)).copied().collect()
    }

    fn is_due(&self, row: &WorkRow, wall: Timestamp) -> bool {
        let no = row.key.destination;
        let Some(watched) = self.liveness.destinations.get(&no) else { return false };
        if row.due.plus_ms(watched.linger_ms) > wall {
            return false;
        }
        let Some(host) = self.owner(no).map(|host| &self.hosts[host]) else { return true };
        // It was attempted, and waits for its record.
        if host.held.contains(&row.key) || host.running.values().any(|call: &Running| call.open.contains(&row.key)) {
            return false;
        }
        !watched.is_stable || host.engine.held() == 0
    }

    /// Members of stable batches that are not due: they wait together.
    fn waiting_batches(&self, wall: Timestamp) -> BTreeSet<DeliveryKey> {
        let stable = self.liveness.destinations.iter().filter(|(_, watched)| watched.is_stable);
        let batches = self.store.stored_batches(&stable.map(|(no, _)| *no).collect::<Vec<_>>());
        let due = |key: &DeliveryKey| self.store.work_of(*key).is_none_or(|row| row.due <= wall);
        let waiting = batches.into_iter().filter(|batch| batch.due > wall || !batch.members.iter().all(due));
        waiting.flat_map(|batch| batch.members).collect()
    }
}

fn is_replay(row: &WorkRow) -> bool {
    row.lane.is_none() && matches!(row.origin, Origin::Replay | Origin::Backfill)
}
