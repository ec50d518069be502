//! One simulated host process: an engine and what its driver remembers.

use super::clock::Clock;
use super::failure::{Check, Failure};
use super::faults::Fault;
use super::trace::input_numbers;
use super::world::{At, Event, World};
use crate::core::{AttemptId, Config, Engine, Input, Now, RecordId, RecordItem};
use bytes::Bytes;
use railhead_model::{AttemptKey, DeliveryKey, DestinationNo, HostId, Outcome, ShardNo, TenantNo, Timestamp};
use railhead_store::{Change, RecordAnswer};
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet};

/// Most events in hand-overs of one host.
pub const IN_FLIGHT: u32 = 24;
/// With so many results that are not durable, a host starts nothing.
pub const HELD: usize = 60;

/// A hand-over that an engine believes to run.
pub struct Running {
    pub no: DestinationNo,
    pub tenant: TenantNo,
    /// Without an outcome; those of a batch until it is over.
    pub open: BTreeSet<DeliveryKey>,
    /// A stable batch has one outcome, at its end.
    pub batch: bool,
    /// Revision of the configuration that it went out with.
    pub revision: Option<i64>,
}

/// A shard on its way to another host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Giving {
    /// Since when.
    pub since: u64,
    /// What ran there had its time, on the host's monotonic clock.
    pub cut_at: Option<u64>,
}

pub struct Host {
    pub alive: bool,
    /// Counts its processes.
    pub life: u64,
    pub id: HostId,
    pub engine: Engine,
    pub clock: Clock,
    pub paused_until: u64,
    /// Until its results of unknown outcome are sent again, at the latest.
    pub unsure_until: u64,
    /// It stood still for longer than its lease, and has not been told yet.
    pub is_zombie: bool,
    pub wake: Option<u64>,
    /// On its monotonic clock.
    pub until: u64,
    pub shards: BTreeSet<ShardNo>,
    /// Those that lost their hosts again and again.
    pub suspects: BTreeSet<ShardNo>,
    /// Given away, and not out of our hands yet.
    pub releasing: BTreeMap<ShardNo, Giving>,
    pub lease_busy_until: u64,
    /// A take-over would find something.
    pub wants_more: bool,
    /// On its monotonic clock.
    pub renewed_at: u64,
    /// Destinations that the engine was told of, with the revision of their configuration.
    pub known: BTreeMap<DestinationNo, i64>,
    pub records: BTreeMap<RecordId, Vec<RecordItem>>,
    pub running: BTreeMap<AttemptId, Running>,
    /// Transcripts of attempts, each with the attempt that it is sealed for.
    pub transcripts: BTreeMap<(DeliveryKey, u32), (AttemptKey, Bytes)>,
    /// Deliveries whose result is not recorded.
    pub held: BTreeSet<DeliveryKey>,
    /// Ends that the engine was told are durable.
    ends: BTreeSet<DeliveryKey>,
    /// The first revision without a credential that was withdrawn, once this host has seen it.
    pub withdrawn: BTreeMap<DestinationNo, i64>,
}

impl Host {
    pub fn dead() -> Self {
        Self {
            alive: false,
            life: 0,
            id: HostId::new(Timestamp(0), [0; 10]),
            engine: Engine::new(Config::default(), 0),
            clock: Clock::default(),
            paused_until: 0,
            unsure_until: 0,
            is_zombie: false,
            wake: None,
            until: 0,
            shards: BTreeSet::new(),
            suspects: BTreeSet::new(),
            releasing: BTreeMap::new(),
            lease_busy_until: 0,
            wants_more: false,
            renewed_at: 0,
            known: BTreeMap::new(),
            records: BTreeMap::new(),
            running: BTreeMap::new(),
            transcripts: BTreeMap::new(),
            held: BTreeSet::new(),
            ends: BTreeSet::new(),
            withdrawn: BTreeMap::new(),
        }
    }

    /// What the engine may start, checked against what it was told.
    pub fn starts(&mut self, id: AttemptId, call: Running, now: u64) -> Result<(), Failure> {
        if self.clock.mono(now) >= self.until {
            return Err(Failure::new(Check::Lease, format!("{id:?} was started after the lease")));
        }
        for key in &call.open {
            if self.ends.contains(key) {
                return Err(Failure::new(Check::AfterEnd, format!("{key} was started after its end was acknowledged")));
            }
            if self.held.contains(key) {
                let what = format!("{key} was started while its result is not recorded");
                return Err(Failure::new(Check::OneAtATime, what));
            }
            if self.running.values().any(|other| other.open.contains(key)) {
                return Err(Failure::new(Check::OneAtATime, format!("{key} was started while it runs")));
            }
        }
        self.running.insert(id, call);
        Ok(())
    }

    fn learn(&mut self, input: &Input) -> Result<(), Failure> {
        match input {
            Input::Settled { attempt, outcomes } => return self.settled(*attempt, outcomes),
            Input::AttemptOver(id) => {
                self.running.remove(id);
            }
            Input::Recorded { record, answers } => {
                for (item, answer) in self.records.remove(record).unwrap_or_default().iter().zip(answers) {
                    self.held.remove(&item.key);
                    if matches!((answer, &item.change), (RecordAnswer::Applied(_), Change::End { .. })) {
                        self.ends.insert(item.key);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn settled(&mut self, id: AttemptId, outcomes: &[(DeliveryKey, Outcome)]) -> Result<(), Failure> {
        let Some(call) = self.running.get_mut(&id) else { return Ok(()) };
        let withdrawn = self.withdrawn.get(&call.no);
        if withdrawn.is_some_and(|without| call.revision.is_some_and(|revision| revision < *without)) {
            return Err(Failure::new(Check::Withdrawal, format!("{id:?} ran on with a withdrawn credential")));
        }
        for (key, outcome) in outcomes.iter().filter(|_| !call.batch) {
            call.open.remove(key);
            if !matches!(outcome, Outcome::Untried(_)) {
                self.held.insert(*key);
            }
        }
        Ok(())
    }

    /// Events in hand-overs: of all, and of one tenant.
    pub fn in_flight(&self, tenant: TenantNo) -> (usize, usize) {
        let of = |call: &Running| if call.tenant == tenant { call.open.len() } else { 0 };
        (self.running.values().map(|call| call.open.len()).sum(), self.running.values().map(of).sum())
    }
}

impl World {
    pub fn start(&mut self, host: usize) -> Result<(), Failure> {
        let far_ms = self.plan.far_ms;
        let config = Config { in_flight: IN_FLIGHT, held: HELD, record_wait_ms: 25, record_items: 8, far_ms };
        let (id, seed) = (self.host_id(), self.random.random());
        let clock = Clock::any(&mut self.random, self.plan.clocks_are_off);
        if clock.drifts() {
            self.reached.count(Fault::DriftingClock);
        }
        let life = self.hosts[host].life + 1;
        self.hosts[host] = Host { alive: true, life, id, engine: Engine::new(config, seed), clock, ..Host::dead() };
        self.note(format_args!("host {host} starts as {id}, {clock:?}"));
        // Joining is done by the lease task, which comes first.
        let at = At { host, life };
        self.at(1, Event::LeaseLoop(at));
        self.at(1_000, Event::Survey(at));
        Ok(())
    }

    pub fn crash(&mut self, host: usize) {
        if self.hosts[host].alive {
            self.reached.count(Fault::Crash);
            self.poison.died_by_chance();
            self.stop(host);
            let again = self.between(100, 12_000);
            self.at(again, Event::Start(host));
        }
    }

    pub fn stop(&mut self, host: usize) {
        self.note(format_args!("host {host} dies"));
        self.disturb();
        self.hosts[host].alive = false;
    }

    pub fn pause(&mut self, index: usize) {
        // Where hosts are killed, nothing else is to look like it.
        let ms = self.between(500, if self.plan.has_killer { 3_000 } else { 14_000 });
        self.disturb();
        let until = self.now + ms;
        let host = &mut self.hosts[index];
        if host.alive && host.clock.mono(until) > host.until {
            host.is_zombie = true;
            self.reached.count(Fault::PausePastLease);
        }
        self.hosts[index].paused_until = until;
        self.note(format_args!("host {index} stands still until {until}"));
    }

    /// Steps an engine, and does what it asks for.
    pub fn input(&mut self, at: At, input: Input) -> Result<(), Failure> {
        let wall = self.wall_of(at.host);
        self.liveness.heard(self.now, &self.hosts[at.host], &input);
        let host = &mut self.hosts[at.host];
        let now = Now { wall, mono_ms: host.clock.mono(self.now) };
        host.learn(&input)?;
        let [kind, first, second] = input_numbers(&input);
        let line = format_args!("{:>7} {} < {input:?}", self.now, at.host);
        self.trace.note(&[self.now, at.host as u64, kind, first, second], line);
        let fenced = matches!(input, Input::Fenced);
        let mut effects = Vec::new();
        host.engine.step(now, input, &mut effects);
        for effect in effects {
            self.effect(at, effect)?;
        }
        if fenced {
            // The process starts again under a new id.
            self.poison.died_by_chance();
            self.stop(at.host);
            let again = self.between(50, 1_000);
            self.at(again, Event::Start(at.host));
        }
        Ok(())
    }

    /// What a host's wall clock shows.
    pub fn wall_of(&self, host: usize) -> Timestamp {
        self.wall().plus_ms(self.hosts[host].clock.skew)
    }
}
