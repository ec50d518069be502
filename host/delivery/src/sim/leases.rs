//! The lease task of a simulated host: renew, take over, load, give away.

use super::failure::{Check, Failure};
use super::faults::Fault;
use super::host::Giving;
use super::store::Op;
use super::world::{At, Event, World};
use crate::core::mutation::Mutation;
use crate::core::{Input, Settings};
use railhead_model::{DestinationNo, Ordering, ShardNo};
use railhead_store::StoreError;
use railhead_store::directory::Destination;
use railhead_store::lease::{LEASE_MS, Owned, SHARDS};
use railhead_store::work::StableBatch;
use std::collections::BTreeSet;

/// How often a lease is renewed, in milliseconds.
const RENEW_MS: u64 = 2_000;
/// How long what runs at a shard that is given away may go on, in milliseconds.
pub const GIVE_MS: u64 = 5_000;
/// Subtracted from the lease on the host's own clock.
const MARGIN_MS: u64 = 1_000;
/// How long an answer to a lease statement is waited for, in milliseconds.
const BUSY_MS: u64 = 3_000;
/// How often the survey runs, in milliseconds.
pub const SURVEY_MS: u64 = 5_000;

/// What came of a lease statement.
#[derive(Debug)]
pub struct Answer {
    result: Result<Owned, StoreError>,
    released: Vec<ShardNo>,
    /// It extended the lease, and was sent then on the host's monotonic clock.
    renewed: Option<u64>,
}

/// What was read of destinations.
#[derive(Debug)]
pub struct Loaded {
    pub destinations: Vec<Destination>,
    pub batches: Vec<StableBatch>,
}

impl World {
    pub fn lease_loop(&mut self, at: At) -> Result<(), Failure> {
        self.at(400, Event::LeaseLoop(at));
        self.cut_what_is_late(at)?;
        let host = &mut self.hosts[at.host];
        // One lease statement at a time: an older answer must not bring back what was given away since.
        if host.lease_busy_until > self.now {
            return Ok(());
        }
        let mono = host.clock.mono(self.now);
        let busy_too = self.fault == Some(Mutation::ReleasedBusy);
        let clear: Vec<_> =
            host.releasing.keys().filter(|no| busy_too || host.engine.is_clear(**no)).copied().collect();
        let op = if host.renewed_at + RENEW_MS <= mono || host.until == 0 {
            Op::Renew(mono)
        } else if !clear.is_empty() {
            Op::Release(clear)
        } else if host.wants_more {
            Op::TakeOver
        } else {
            return Ok(());
        };
        host.lease_busy_until = self.now + BUSY_MS;
        let soon = self.between(1, 60);
        self.at(soon, Event::Op(at, op));
        Ok(())
    }

    pub fn lease_op(&mut self, at: At, op: Op) -> Result<(), Failure> {
        if self.is_out() {
            return Ok(());
        }
        let (id, wall, host) = (self.hosts[at.host].id, self.wall(), &self.hosts[at.host]);
        let first = host.until == 0;
        let mut released = Vec::new();
        let renewed = if let Op::Renew(sent) = op { Some(sent) } else { None };
        let is_fenced = self.is_fenced(id) && !first;
        let result = match op {
            Op::Release(shards) => {
                let result = self.store.release(id, &shards).map(|()| Owned::default());
                released = shards;
                result
            }
            Op::TakeOver => self.store.take_over(id, wall),
            _ if first => {
                self.store.join(id, wall).map(|()| Owned { now: wall, fair: SHARDS, free: SHARDS, ..Owned::default() })
            }
            _ => self.store.renew(id, wall),
        };
        if is_fenced && result.is_ok() {
            return Err(Failure::new(Check::Fence, format!("host {} was fenced, and has a lease", at.host)));
        }
        if renewed.is_some() && result.is_ok() {
            self.leases.insert(id, self.now + LEASE_MS as u64);
        }
        if self.fault(Fault::LostLease, 0.02) {
            // Given up after a while, and sent again.
            self.hosts[at.host].releasing.values_mut().for_each(|giving| giving.since += BUSY_MS);
            return Ok(());
        }
        let soon = self.between(1, 60);
        self.at(soon, Event::Leased(at, Answer { result, released, renewed }));
        Ok(())
    }

    pub fn leased(&mut self, at: At, answer: Answer) -> Result<(), Failure> {
        let (now, wall) = (self.now, self.wall_of(at.host));
        let by_wall = self.fault == Some(Mutation::LeaseByWallClock);
        let host = &mut self.hosts[at.host];
        host.lease_busy_until = now;
        let Ok(owned) = answer.result else {
            self.fenced(at);
            return Ok(());
        };
        let owned_at = owned.now;
        host.wants_more = owned.wants_more();
        let surplus: BTreeSet<ShardNo> = owned.surplus().collect();
        let suspects = owned.suspects.clone();
        if !answer.released.is_empty() {
            host.releasing.retain(|no, _| !answer.released.contains(no));
            self.reached.count(Fault::HandOver);
            return Ok(());
        }
        let owned: BTreeSet<ShardNo> =
            owned.shards.into_iter().map(|(no, _)| no).filter(|no| !host.releasing.contains_key(no)).collect();
        if let Some(sent) = answer.renewed {
            host.renewed_at = sent;
            host.until = host.until.max(sent + LEASE_MS as u64 - MARGIN_MS);
            if by_wall {
                // Planted: the database's time compared with the host's own.
                let left = owned_at.plus_ms(LEASE_MS - MARGIN_MS as i64).since(wall);
                host.until = host.clock.mono(now).saturating_add_signed(left);
            }
        }
        let new: Vec<ShardNo> = owned.difference(&host.shards).copied().collect();
        self.reached.add_up(Fault::TakenOver, u64::from(answer.renewed.is_none() && !new.is_empty()));
        let host = &mut self.hosts[at.host];
        host.shards = owned;
        let input =
            Input::Lease { host: host.id, until_mono_ms: host.until, shards: host.shards.iter().copied().collect() };
        self.input(at, input)?;
        let before = std::mem::replace(&mut self.hosts[at.host].suspects, suspects.iter().copied().collect());
        if before != self.hosts[at.host].suspects {
            self.disturb();
        }
        self.input(at, Input::Suspects(suspects))?;
        if !new.is_empty() {
            let soon = self.between(1, 30);
            self.at(soon, Event::Op(at, Op::Load(new)));
        }
        let host = &self.hosts[at.host];
        // What is beyond the share goes to those who joined.
        if host.alive && host.releasing.is_empty() && !surplus.is_empty() {
            self.reached.count(Fault::Surplus);
            self.let_go(at, surplus)?;
        }
        Ok(())
    }

    pub fn loaded(&mut self, at: At, loaded: Loaded) -> Result<(), Failure> {
        let mut new = Vec::new();
        for destination in loaded.destinations {
            let host = &mut self.hosts[at.host];
            let no = destination.no;
            if !host.shards.contains(&no.shard()) {
                continue;
            }
            let is_new = !host.known.contains_key(&no);
            if self.take_up(at, &destination)? {
                new.push(no);
                let settings = settings(&destination);
                if is_new {
                    self.liveness.loaded(&settings);
                }
                self.input(at, Input::Config(Box::new(settings)))?;
            }
        }
        let batches: Vec<_> = loaded.batches.into_iter().filter(|batch| new.contains(&batch.destination)).collect();
        if !batches.is_empty() {
            self.reached.count(Fault::BatchTakenOver);
            self.input(at, Input::Batches(batches))?;
        }
        Ok(())
    }

    pub fn survey(&mut self, at: At) -> Result<(), Failure> {
        let soon = self.between(1, 30);
        self.at(soon, Event::Op(at, Op::Survey));
        self.at(SURVEY_MS, Event::Survey(at));
        Ok(())
    }

    /// A host gives half of its shards away.
    pub fn give_away(&mut self, index: usize) -> Result<(), Failure> {
        let host = &self.hosts[index];
        if !host.alive || host.paused_until > self.now {
            return Ok(());
        }
        let at = At { host: index, life: host.life };
        let half = host.shards.iter().copied().filter(|no| no.0 % 2 == (host.life % 2) as u8).collect();
        self.let_go(at, half)
    }

    /// Hand-over by consent: a host stops starting there, waits, records, and then releases.
    fn let_go(&mut self, at: At, going: BTreeSet<ShardNo>) -> Result<(), Failure> {
        self.disturb();
        let host = &mut self.hosts[at.host];
        host.shards.retain(|no| !going.contains(no));
        let nos: Vec<DestinationNo> = host.known.keys().copied().filter(|no| going.contains(&no.shard())).collect();
        host.known.retain(|no, _| !going.contains(&no.shard()));
        let (id, all) = (host.id, going.iter().copied().collect::<Vec<_>>());
        self.rotation.released(id, &all);
        let (now, host) = (self.now, &mut self.hosts[at.host]);
        let cut_at = Some(host.clock.mono(now) + GIVE_MS);
        host.releasing.extend(going.into_iter().map(|no| (no, Giving { since: now, cut_at })));
        let (id, until_mono_ms, shards) = (host.id, host.until, host.shards.iter().copied().collect());
        self.input(at, Input::Lease { host: id, until_mono_ms, shards })?;
        nos.into_iter().try_for_each(|no| self.input(at, Input::Gone(no)))
    }
}

impl World {
    /// What still runs at shards that are given away, after its time.
    fn cut_what_is_late(&mut self, at: At) -> Result<(), Failure> {
        let host = &mut self.hosts[at.host];
        let mono = host.clock.mono(self.now);
        let mut late = Vec::new();
        for (no, giving) in &mut host.releasing {
            if giving.cut_at.take_if(|cut_at| *cut_at <= mono).is_some() && !host.engine.is_clear(*no) {
                late.push(*no);
            }
        }
        if late.is_empty() {
            return Ok(());
        }
        self.reached.count(Fault::CutShort);
        self.input(at, Input::Cut(late))
    }
}

/// What the engine needs to know of a stored destination.
pub fn settings(destination: &Destination) -> Settings {
    let spec = &destination.spec;
    Settings {
        no: destination.no,
        tenant: destination.tenant,
        state: destination.state,
        retry: spec.retry.clone(),
        jitter: spec.jitter,
        rate_limit: spec.rate_limit,
        concurrency: spec.concurrency,
        hand_over: 4,
        sessions: if spec.metadata.contains_key("sessions") { 3 } else { 1 },
        batch: spec.batch.map(|batch| (batch, spec.metadata.contains_key("stable"))),
        ordered: spec.ordering != Ordering::None,
        hold_on_dead: spec.metadata.contains_key("hold"),
        health: destination.health.clone(),
    }
}
