//! One simulated host process: an engine and what its driver remembers.

use super::faults::Fault;
use super::trace::input_numbers;
use super::world::{At, Event, Failure, World};
use crate::core::{AttemptId, Config, Engine, Input, Now, RecordId, RecordItem};
use bytes::Bytes;
use railhead_model::{AttemptKey, DeliveryKey, DestinationNo, HostId, Outcome, ShardNo, Timestamp};
use railhead_store::{Change, RecordAnswer};
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet};

pub struct Host {
    pub alive: bool,
    /// Counts its processes.
    pub life: u64,
    pub id: HostId,
    pub engine: Engine,
    /// Milliseconds that its wall clock is off.
    pub skew: i64,
    pub paused_until: u64,
    pub wake: Option<u64>,
    pub until: u64,
    pub shards: BTreeSet<ShardNo>,
    /// Given away, and not out of our hands yet.
    pub releasing: BTreeSet<ShardNo>,
    pub lease_busy_until: u64,
    pub renewed_at: u64,
    /// Destinations that the engine was told of, with the revision of their configuration.
    pub known: BTreeMap<DestinationNo, i64>,
    pub records: BTreeMap<RecordId, Vec<RecordItem>>,
    pub running: BTreeMap<AttemptId, (DestinationNo, BTreeSet<DeliveryKey>, bool)>,
    /// Transcripts of attempts, each with the attempt that it is sealed for.
    pub transcripts: BTreeMap<(DeliveryKey, u32), (AttemptKey, Bytes)>,
    /// Deliveries whose result is not recorded.
    held: BTreeSet<DeliveryKey>,
    /// Ends that the engine was told are durable.
    ends: BTreeSet<DeliveryKey>,
}

impl Host {
    pub fn dead() -> Self {
        Self {
            alive: false,
            life: 0,
            id: HostId::new(Timestamp(0), [0; 10]),
            engine: Engine::new(Config::default(), 0),
            skew: 0,
            paused_until: 0,
            wake: None,
            until: 0,
            shards: BTreeSet::new(),
            releasing: BTreeSet::new(),
            lease_busy_until: 0,
            renewed_at: 0,
            known: BTreeMap::new(),
            records: BTreeMap::new(),
            running: BTreeMap::new(),
            transcripts: BTreeMap::new(),
            held: BTreeSet::new(),
            ends: BTreeSet::new(),
        }
    }

    /// What the engine may start, checked against what it was told.
    pub fn starts(
        &mut self,
        id: AttemptId,
        no: DestinationNo,
        keys: &[DeliveryKey],
        batch: bool,
    ) -> Result<(), Failure> {
        for key in keys {
            if self.ends.contains(key) {
                return Err(Failure(format!("{key} was started after its end was acknowledged")));
            }
            if self.held.contains(key) {
                return Err(Failure(format!("{key} was started while its result is not recorded")));
            }
            if self.running.values().any(|(_, running, _)| running.contains(key)) {
                return Err(Failure(format!("{key} was started while it runs")));
            }
        }
        self.running.insert(id, (no, keys.iter().copied().collect(), batch));
        Ok(())
    }

    fn learn(&mut self, input: &Input) {
        match input {
            Input::Settled { attempt, outcomes } => self.settled(*attempt, outcomes),
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
    }

    fn settled(&mut self, id: AttemptId, outcomes: &[(DeliveryKey, Outcome)]) {
        let Some((_, running, batch)) = self.running.get_mut(&id) else { return };
        for (key, outcome) in outcomes {
            if !*batch {
                running.remove(key);
                if !matches!(outcome, Outcome::Untried(_)) {
                    self.held.insert(*key);
                }
            }
        }
    }
}

impl World {
    pub fn start(&mut self, host: usize) -> Result<(), Failure> {
        let config = Config { in_flight: 24, held: 60, record_wait_ms: 25, record_items: 8 };
        let (id, seed, skew) = (self.host_id(), self.random.random(), self.random.random_range(-300..300));
        let life = self.hosts[host].life + 1;
        self.hosts[host] = Host { alive: true, life, id, engine: Engine::new(config, seed), skew, ..Host::dead() };
        self.note(format_args!("host {host} starts as {id}"));
        // Joining is done by the lease task, which comes first.
        let at = At { host, life };
        self.at(1, Event::LeaseLoop(at));
        self.at(1_000, Event::Survey(at));
        Ok(())
    }

    pub fn crash(&mut self, host: usize) {
        if self.hosts[host].alive {
            self.reached.count(Fault::Crash);
            self.stop(host);
            let again = self.between(100, 12_000);
            self.at(again, Event::Start(host));
        }
    }

    fn stop(&mut self, host: usize) {
        self.note(format_args!("host {host} dies"));
        self.hosts[host].alive = false;
    }

    pub fn pause(&mut self, host: usize) {
        let ms = self.between(500, 14_000);
        let until = self.now + ms;
        if self.hosts[host].alive && until > self.hosts[host].until {
            self.reached.count(Fault::PausePastLease);
        }
        self.hosts[host].paused_until = until;
        self.note(format_args!("host {host} stands still until {until}"));
    }

    /// Steps an engine, and does what it asks for.
    pub fn input(&mut self, at: At, input: Input) -> Result<(), Failure> {
        let wall = self.wall();
        let host = &mut self.hosts[at.host];
        let now = Now { wall: wall.plus_ms(host.skew), mono_ms: self.now };
        host.learn(&input);
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
            self.stop(at.host);
            let again = self.between(50, 1_000);
            self.at(again, Event::Start(at.host));
        }
        Ok(())
    }
}
