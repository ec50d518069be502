//! Does what an engine asks for, as the real driver does.

use super::checks;
use super::failure::{Check, Failure};
use super::faults::Fault;
use super::host::Running;
use super::receiver::Mood;
use super::store::Op;
use super::trace::effect_numbers;
use super::world::{At, Event, World};
use crate::core::mutation::Mutation;
use crate::core::{AttemptId, AttemptItem, Effect, Input};
use crate::transcripts::Transcripts;
use bytes::Bytes;
use railhead_model::{BodyPart, DeliveryKey, DestinationNo, Exchange, ExchangeRequest, OutcomeClass, Transcript};
use std::collections::BTreeSet;

impl World {
    pub fn effect(&mut self, at: At, effect: Effect) -> Result<(), Failure> {
        let [kind, first, second] = effect_numbers(&effect);
        let line = format_args!("{:>7} {} > {effect:?}", self.now, at.host);
        self.trace.note(&[self.now, at.host as u64, kind, first, second], line);
        let soon = self.between(1, 8);
        match effect {
            Effect::Attempt { id, destination: no, tenant, ref items, batch, .. } => {
                let open: BTreeSet<_> = items.iter().map(|item| item.key).collect();
                let rows: Vec<_> = open.iter().filter_map(|key| self.store.work_of(*key).copied()).collect();
                self.liveness.starts(self.now, no, &rows)?;
                let call = Running { no, tenant, open, batch: batch.is_some(), revision: None };
                self.hosts[at.host].starts(id, call, self.now)?;
                let stalled = self.plan.stalled_send;
                let delay = if self.fault(Fault::StalledSend, stalled) { self.between(500, 8_000) } else { 0 };
                self.at(delay, Event::Send(at, effect));
            }
            Effect::Start { id, deliveries, alone } => self.at(soon, Event::Op(at, Op::Start(id, deliveries, alone))),
            Effect::Unstart { id, deliveries } => self.at(soon, Event::Op(at, Op::Unstart(id, deliveries))),
            Effect::Abort(id) if !self.hosts[at.host].running.contains_key(&id) => {} // its start is not on record yet
            Effect::Abort(id) => {
                self.reached.count(Fault::Abort);
                self.at(soon, Event::Input(at, Input::AttemptOver(id)));
            }
            Effect::Refill(ask) => self.at(soon, Event::Op(at, Op::Refill(ask))),
            Effect::Record { id, items } => {
                let before = self.hosts[at.host].records.insert(id, items.clone());
                if before.is_some_and(|before| before != items) {
                    return Err(Failure::new(Check::Repeat, format!("{id:?} was sent again, and differs")));
                }
                self.at(soon, Event::Op(at, Op::Record(id, items)));
            }
            Effect::SaveHealth(no, health) => {
                self.liveness.breaker(no, health.open);
                self.at(soon, Event::Op(at, Op::SaveHealth(no, health)));
            }
            Effect::OpenBatch(batch) => self.at(soon, Event::Op(at, Op::OpenBatch(batch))),
            Effect::CloseBatch(no, number) => {
                if self.is_alive(no, number) {
                    self.reached.count(Fault::BatchSplit);
                }
                self.at(soon, Event::Op(at, Op::CloseBatch(no, number)));
            }
            Effect::Failing(_, true) => self.reached.count(Fault::BreakerOpened),
            Effect::Failing(_, false) => {}
            Effect::Disable(no, _) => {
                self.reached.count(Fault::Disabled);
                self.at(soon, Event::Op(at, Op::Disable(no)));
            }
            Effect::WakeAt(wake) => {
                self.hosts[at.host].wake = Some(wake);
                let wait = self.hosts[at.host].clock.wait(self.now, wake);
                self.at(wait, Event::Tick(at, wake));
            }
        }
        Ok(())
    }

    /// The last check before the wire.
    pub fn send(&mut self, at: At, attempt: Effect) -> Result<(), Failure> {
        let Effect::Attempt { id, destination, ref items, batch, .. } = attempt else { return Ok(()) };
        let host = &self.hosts[at.host];
        if !host.running.contains_key(&id) {
            return Ok(()); // cut in the meantime
        }
        let is_live = host.clock.mono(self.now) < host.until || self.fault == Some(Mutation::WireUnchecked);
        // What is being given away is not configured here any more.
        if !is_live || !host.known.contains_key(&destination) {
            return self.input(at, Input::AttemptOver(id));
        }
        self.is_owner(at, destination)?;
        self.carries(at, id, destination)?;
        let keys: Vec<DeliveryKey> = items.iter().map(|item| item.key).collect();
        self.note(format_args!("host {} sends {} to {destination}", at.host, keys.len()));
        if let Some(number) = batch {
            self.checks.batch(&self.store, destination, number, &keys)?;
        }
        for (index, key) in keys.iter().enumerate() {
            let with = if batch.is_some() { &keys[..index] } else { &[] };
            self.checks.lane(&self.store, *key, with)?;
        }
        if checks::bounds(&self.store, destination, &keys)? {
            self.reached.count(Fault::BytesBound);
        }
        self.write_transcripts(at, id, destination, items);
        let stopped = self.plan.stopped_at_the_wire;
        if self.fault(Fault::StoppedAtTheWire, stopped) {
            self.pause(at.host);
        }
        self.at(0, Event::Wire(at, attempt));
        Ok(())
    }

    /// The wire. A process that stood still since its last look at the lease sends this one, whoever took over.
    pub fn wire(&mut self, at: At, attempt: &Effect) {
        let Effect::Attempt { id, destination, items, batch, .. } = attempt else { return };
        if !self.holds_lease(self.hosts[at.host].id) {
            self.reached.count(Fault::LateAttempt);
        }
        if !self.kills(at, items) {
            self.answers(at, *id, *destination, items, batch.is_some());
        }
    }

    /// What the database knows must agree: the lease lives, and the shard is this host's.
    fn is_owner(&mut self, at: At, no: DestinationNo) -> Result<(), Failure> {
        let id = self.hosts[at.host].id;
        if !self.holds_lease(id) {
            return Err(Failure::new(Check::Lease, format!("host {} sends to {no} without a live lease", at.host)));
        }
        match self.store.owner(no.shard()) {
            Some((owner, _)) if owner == id => Ok(()),
            owner => Err(Failure::new(Check::Owner, format!("host {} sends to {no}, owned by {owner:?}", at.host))),
        }
    }

    /// True if members of a stored batch still wait.
    fn is_alive(&self, no: DestinationNo, number: u64) -> bool {
        let stored = self.store.stored_batches(&[no]).into_iter().filter(|batch| batch.number == number);
        stored.flat_map(|batch| batch.members).any(|key| self.store.work_of(key).is_some())
    }

    /// What goes over the wire: one request for a batch, else some of a few events each.
    fn write_transcripts(&mut self, at: At, call: AttemptId, no: DestinationNo, items: &[AttemptItem]) {
        let batched = self.store.destinations_by_no(&[no]).unwrap_or_default().iter().any(|d| d.spec.batch.is_some());
        let size = if batched { items.len() } else { self.between(1, 3) as usize };
        let mut transcripts = Transcripts::new(self.hosts[at.host].id, call.0);
        for request in items.chunks(size.max(1)) {
            let body: Vec<_> = request.iter().map(|item| BodyPart::OtherEvent(item.key.event)).collect();
            let sent = ExchangeRequest { body, ..ExchangeRequest::default() };
            let exchanges = vec![Exchange { request: sent, ..Exchange::default() }.into()];
            let sent = Transcript { exchanges, ..Transcript::default() };
            for item in request {
                let seal = |_, plain: &Transcript| Bytes::from(serde_json::to_vec(plain).unwrap_or_default());
                let sealed = transcripts.share(item.key, sent.clone().seen_by(item.key.event), seal);
                if sealed.0.delivery != item.key {
                    self.reached.count(Fault::SharedTranscript);
                }
                self.hosts[at.host].transcripts.insert((item.key, item.n), sealed);
            }
        }
    }

    fn answers(&mut self, at: At, id: AttemptId, no: DestinationNo, items: &[AttemptItem], stable: bool) {
        let Some(mood) = self.moods.get(&no).copied() else { return };
        let mut over = 1;
        for item in items {
            let answer = match stable && self.fault(Fault::RefusedMember, 0.03) {
                true => {
                    self.checks.refused(item.key);
                    Mood::refusal()
                }
                false => mood.answer(items.len(), &mut self.random),
            };
            if answer.arrived {
                self.checks.arrived(item.key);
            }
            over = over.max(answer.after_ms + 1);
            // Now and then an outcome is left open: the host knows only at the end that it was never sent.
            if answer.outcome.class() == OutcomeClass::Untried && self.chance(0.3) {
                continue;
            }
            let outcomes = vec![(item.key, answer.outcome)];
            self.at(answer.after_ms, Event::Input(at, Input::Settled { attempt: id, outcomes }));
        }
        let tail = self.between(0, 20);
        self.at(over + tail, Event::Input(at, Input::AttemptOver(id)));
    }
}
