//! The lease task of a simulated host: renew, take over, load, give away.

use super::faults::Fault;
use super::store::Op;
use super::world::{At, Event, Failure, World};
use crate::core::{Input, Settings};
use railhead_model::{DestinationNo, Ordering, ShardNo};
use railhead_store::StoreError;
use railhead_store::directory::Destination;
use railhead_store::lease::{LEASE_MS, Owned};
use railhead_store::work::StableBatch;
use std::collections::BTreeSet;

/// How often a lease is renewed, in milliseconds.
const RENEW_MS: u64 = 2_000;
/// Subtracted from the lease on the host's own clock.
const MARGIN_MS: u64 = 1_000;
/// How often the survey runs, in milliseconds.
const SURVEY_MS: u64 = 5_000;

/// What came of a lease statement.
#[derive(Debug)]
pub struct Answer {
    /// When it was sent.
    sent: u64,
    result: Result<Owned, StoreError>,
    released: Vec<ShardNo>,
    /// It extended the lease.
    renewed: bool,
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
        let host = &mut self.hosts[at.host];
        // One lease statement at a time: an older answer must not bring back what was given away since.
        if host.lease_busy_until > self.now {
            return Ok(());
        }
        host.lease_busy_until = self.now + 3_000;
        let engine = &host.engine;
        let quiet = host.known.keys().all(|no| !host.releasing.contains(&no.shard()) || !engine.is_busy(*no));
        let op = if host.renewed_at + RENEW_MS <= self.now || host.until == 0 {
            Op::Renew
        } else if !host.releasing.is_empty() && quiet {
            Op::Release(host.releasing.iter().copied().collect())
        } else {
            Op::TakeOver
        };
        let soon = self.between(1, 60);
        self.at(soon, Event::Op(at, op));
        Ok(())
    }

    pub fn lease_op(&mut self, at: At, op: Op) -> Result<(), Failure> {
        if self.is_out() {
            return Ok(());
        }
        let (id, wall, host) = (self.hosts[at.host].id, self.wall(), &self.hosts[at.host]);
        let sent = self.now.saturating_sub(60);
        let first = host.until == 0;
        let mut released = Vec::new();
        let renewed = op.is_renewal();
        let result = match op {
            Op::Release(shards) => {
                let result = self.store.release(id, &shards).map(|()| Owned::default());
                released = shards;
                result
            }
            Op::TakeOver => self.store.take_over(id, wall),
            _ if first => self.store.join(id, wall).map(|()| Owned { now: wall, shards: Vec::new() }),
            _ => self.store.renew(id, wall),
        };
        if self.fault(Fault::LostAnswer, 0.02) {
            return Ok(());
        }
        let soon = self.between(1, 60);
        self.at(soon, Event::Leased(at, Answer { sent, result, released, renewed }));
        Ok(())
    }

    pub fn leased(&mut self, at: At, answer: Answer) -> Result<(), Failure> {
        let now = self.now;
        let host = &mut self.hosts[at.host];
        host.lease_busy_until = now;
        let Ok(owned) = answer.result else {
            self.fenced(at);
            return Ok(());
        };
        if !answer.released.is_empty() {
            host.known.retain(|no, _| !answer.released.contains(&no.shard()));
            host.releasing.clear();
            self.reached.count(Fault::HandOver);
            return Ok(());
        }
        let owned: BTreeSet<ShardNo> =
            owned.shards.into_iter().map(|(no, _)| no).filter(|no| !host.releasing.contains(no)).collect();
        if answer.renewed {
            host.renewed_at = answer.sent;
            host.until = host.until.max(answer.sent + LEASE_MS as u64 - MARGIN_MS);
        }
        let new: Vec<ShardNo> = owned.difference(&host.shards).copied().collect();
        host.shards = owned;
        let input =
            Input::Lease { host: host.id, until_mono_ms: host.until, shards: host.shards.iter().copied().collect() };
        self.input(at, input)?;
        if !new.is_empty() {
            let soon = self.between(1, 30);
            self.at(soon, Event::Op(at, Op::Load(new)));
        }
        Ok(())
    }

    pub fn loaded(&mut self, at: At, loaded: Loaded) -> Result<(), Failure> {
        let mut new = Vec::new();
        for destination in loaded.destinations {
            let host = &mut self.hosts[at.host];
            let no = destination.no;
            let newer = host.known.get(&no).is_none_or(|revision| *revision < destination.revision);
            if host.shards.contains(&no.shard()) && newer {
                host.known.insert(no, destination.revision);
                new.push(no);
                self.input(at, Input::Config(Box::new(settings(&destination))))?;
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

    /// A host gives half of its shards away: it stops starting there, waits, records, and then releases.
    pub fn give_away(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        if !host.alive || host.paused_until > self.now || !host.releasing.is_empty() {
            return;
        }
        let at = At { host: index, life: host.life };
        let half: BTreeSet<ShardNo> =
            host.shards.iter().copied().filter(|no| no.0 % 2 == (host.life % 2) as u8).collect();
        host.shards.retain(|no| !half.contains(no));
        host.releasing = half;
        self.at(0, Event::Releasing(at));
    }

    pub fn releasing(&mut self, at: At) -> Result<(), Failure> {
        let host = &self.hosts[at.host];
        let (id, until_mono_ms) = (host.id, host.until);
        let shards = host.shards.iter().copied().collect();
        let going: Vec<DestinationNo> =
            host.known.keys().copied().filter(|no| host.releasing.contains(&no.shard())).collect();
        self.input(at, Input::Lease { host: id, until_mono_ms, shards })?;
        for no in going {
            self.input(at, Input::Gone(no))?;
        }
        Ok(())
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
