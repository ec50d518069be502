//! Statements on their way to the database, and what can happen to them there.

use super::checks;
use super::faults::Fault;
use super::host::Host;
use super::leases::Loaded;
use super::world::{At, Event, Failure, World};
use crate::core::mutation::Mutation;
use crate::core::{Input, RecordId, RecordItem};
use railhead_model::{Attempt, DestinationNo, DestinationState, HostId, OutcomeClass, Reason, ShardNo};
use railhead_store::work::{Health, StableBatch};
use railhead_store::{Change, RecordAnswer, Recording, RefillAsk, StoreError};

#[derive(Debug)]
pub enum Op {
    Refill(RefillAsk),
    Record(RecordId, Vec<RecordItem>),
    SaveHealth(DestinationNo, Health),
    OpenBatch(StableBatch),
    CloseBatch(DestinationNo, u64),
    Disable(DestinationNo),
    Survey,
    Load(Vec<ShardNo>),
    Renew,
    TakeOver,
    Release(Vec<ShardNo>),
}

impl Op {
    pub fn is_renewal(&self) -> bool {
        matches!(self, Self::Renew)
    }
}

/// From a statement that did not work to the next try, in milliseconds.
const AGAIN_MS: u64 = 300;

impl World {
    pub fn is_out(&self) -> bool {
        self.now < self.outage_until
    }

    pub fn op(&mut self, at: At, op: Op) -> Result<(), Failure> {
        // What was under way when a host died may still arrive; what was not sent does not.
        if self.hosts[at.host].life != at.life {
            return Ok(());
        }
        match op {
            Op::Refill(ask) => self.refill(at, ask),
            Op::Record(id, items) => return self.record(at, id, items),
            Op::SaveHealth(no, health) => {
                let (id, out) = (self.hosts[at.host].id, self.is_out());
                if !out && self.store.save_health(id, &[(no, health)]).is_err() {
                    self.fenced(at);
                }
            }
            Op::OpenBatch(batch) => self.open_batch(at, batch),
            Op::CloseBatch(no, number) => {
                let id = self.hosts[at.host].id;
                if self.is_out() {
                    self.at(AGAIN_MS, Event::Op(at, Op::CloseBatch(no, number)));
                } else if self.store.close_batch(id, no, number).is_err() {
                    self.fenced(at);
                } else {
                    let soon = self.between(1, 8);
                    self.at(soon, Event::Input(at, Input::BatchClosed(no, number)));
                }
            }
            Op::Disable(no) => self.disable(at, no),
            Op::Survey => self.survey_op(at),
            Op::Load(shards) => self.load_op(at, shards),
            Op::Renew | Op::TakeOver | Op::Release(_) => return self.lease_op(at, op),
        }
        Ok(())
    }

    pub fn fenced(&mut self, at: At) {
        self.reached.count(Fault::FenceRefusal);
        let soon = self.between(1, 8);
        self.at(soon, Event::Input(at, Input::Fenced));
    }

    fn refill(&mut self, at: At, ask: RefillAsk) {
        let no = ask.destination;
        let soon = self.between(1, 8);
        if self.is_out() || self.fault(Fault::FailedRefill, 0.02) {
            return self.at(soon, Event::Input(at, Input::RefillFailed(no)));
        }
        let rows = self.store.refill(&[ask]).unwrap_or_default().pop().map(|answer| answer.rows).unwrap_or_default();
        let slow = self.plan.delayed_read;
        let delay = if self.fault(Fault::DelayedRead, slow) { self.between(50, 4_000) } else { soon };
        self.at(delay, Event::Input(at, Input::Refilled { destination: no, rows }));
    }

    fn record(&mut self, at: At, id: RecordId, items: Vec<RecordItem>) -> Result<(), Failure> {
        let soon = self.between(1, 8);
        let before = self.plan.unknown_before;
        if self.is_out() || self.fault(Fault::UnknownBeforeCommit, before) {
            self.at(soon, Event::Input(at, Input::RecordUnknown(id)));
            return Ok(());
        }
        let Some(answers) = self.commit(at, &items)? else {
            self.fenced(at);
            return Ok(());
        };
        if answers.contains(&RecordAnswer::Refused) {
            self.reached.count(Fault::RevRefusal);
        }
        let lost = self.plan.lost_answer;
        let input = if self.fault(Fault::LostAnswer, lost) {
            Input::RecordUnknown(id)
        } else {
            Input::Recorded { record: id, answers }
        };
        self.at(soon, Event::Input(at, input));
        Ok(())
    }

    /// Commits results; `None` if the host was fenced.
    fn commit(&mut self, at: At, items: &[RecordItem]) -> Result<Option<Vec<RecordAnswer>>, Failure> {
        let id = self.hosts[at.host].id;
        let fenced = self.store.save_health(id, &[]) == Err(StoreError::Fenced);
        let host = &self.hosts[at.host];
        let batch: Vec<Recording> = items.iter().map(|item| recording(host, item)).collect();
        let as_loaded: Vec<_> = items.iter().map(|item| self.store.work_of(item.key).copied()).collect();
        let answers = match self.store.record(self.writes_as(id, items), &batch) {
            Ok(answers) => answers,
            Err(_) => {
                // A refused write changes nothing.
                let changed = |(item, row): (&RecordItem, &Option<_>)| self.store.work_of(item.key) != row.as_ref();
                if items.iter().zip(&as_loaded).any(changed) {
                    return Err(Failure("a fenced write changed something".to_owned()));
                }
                return Ok(None);
            }
        };
        if fenced {
            return Err(Failure(format!("host {} was fenced, and its write went through", at.host)));
        }
        for ((item, answer), row) in items.iter().zip(&answers).zip(&as_loaded) {
            self.committed(item, *answer, row.map(|row| row.rev))?;
            checks::transcript(&self.store, item.tenant, item.key, item.n.unwrap_or_default())?;
        }
        Ok(Some(answers))
    }

    /// The id that a record is written under. (A planted fault: that of whoever is not fenced.)
    fn writes_as(&self, id: HostId, items: &[RecordItem]) -> HostId {
        if self.fault != Some(Mutation::FenceIgnored) {
            return id;
        }
        let owner = items.first().and_then(|item| self.store.owner(item.key.destination.shard()));
        owner.map_or(id, |(owner, _)| owner)
    }

    fn committed(&mut self, item: &RecordItem, answer: RecordAnswer, rev: Option<u32>) -> Result<(), Failure> {
        match (answer, &item.change) {
            (RecordAnswer::Applied(_), _) if rev != Some(item.rev) => {
                Err(Failure(format!("{} was written over a change", item.key)))
            }
            (RecordAnswer::Applied(_), Change::End { end, code, .. }) => {
                self.checks.ended_of(item.key, code)?;
                self.checks.ended(item.key, *end)
            }
            (RecordAnswer::Applied(_), Change::Retry { due, .. }) => {
                if self.store.work_of(item.key).is_some_and(|row| row.lane.is_some() && *due > self.wall()) {
                    self.reached.count(Fault::BlockedLane);
                }
                Ok(())
            }
            (RecordAnswer::Refused, _) => Ok(()),
        }
    }

    fn open_batch(&mut self, at: At, batch: StableBatch) {
        let id = self.hosts[at.host].id;
        let (no, number) = (batch.destination, batch.number);
        if self.is_out() || self.chance(0.05) {
            return self.at(AGAIN_MS, Event::Op(at, Op::OpenBatch(batch)));
        }
        if self.store.open_batches(id, &[batch]).is_err() {
            return self.fenced(at);
        }
        let soon = self.between(1, 8);
        self.at(soon, Event::Input(at, Input::BatchOpened(no, number)));
    }

    fn disable(&mut self, at: At, no: DestinationNo) {
        if self.is_out() {
            return self.at(AGAIN_MS, Event::Op(at, Op::Disable(no)));
        }
        self.configure(no, |destination| destination.state = DestinationState::Disabled);
    }

    fn survey_op(&mut self, at: At) {
        if self.is_out() {
            return;
        }
        let known: Vec<_> = self.hosts[at.host].known.keys().copied().collect();
        let found = self.store.survey(&known).unwrap_or_default();
        let delay = self.between(1, 300);
        self.at(delay, Event::Input(at, Input::Surveyed(found)));
        // The survey also finds configuration whose notification was lost.
        let stored = self.store.destinations_by_no(&known).unwrap_or_default();
        let changed =
            stored.into_iter().filter(|d| self.hosts[at.host].known.get(&d.no) != Some(&d.revision)).collect();
        self.at(delay, Event::Loaded(at, Loaded { destinations: changed, batches: Vec::new() }));
    }

    fn load_op(&mut self, at: At, shards: Vec<ShardNo>) {
        if self.is_out() {
            return self.at(AGAIN_MS, Event::Op(at, Op::Load(shards)));
        }
        let destinations = self.store.destinations_of(&shards, None, 1_000).unwrap_or_default();
        let nos: Vec<_> = destinations.iter().map(|destination| destination.no).collect();
        let batches = self.store.batches(&nos).unwrap_or_default();
        let delay = self.between(1, 200);
        self.at(delay, Event::Loaded(at, Loaded { destinations, batches }));
    }
}

fn recording(host: &Host, item: &RecordItem) -> Recording {
    let attempt = item.n.map(|n| Attempt {
        n,
        started_at: item.at,
        duration_ms: 1,
        outcome: OutcomeClass::Delivered,
        reason: Reason::new("simulated", ""),
        connector_version: String::new(),
        config_revision: 0,
    });
    let RecordItem { key, tenant, rev, ref change, .. } = *item;
    let sealed = host.transcripts.get(&(key, item.n.unwrap_or_default())).cloned();
    let (owner, transcript) = sealed.map_or((None, None), |(owner, sealed)| (Some(owner), Some(sealed)));
    Recording { key, tenant, rev, change: change.clone(), attempt, transcript, owner }
}
