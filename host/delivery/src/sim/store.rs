//! Statements on their way to the database, and what can happen to them there.

use super::failure::{Check, Failure};
use super::faults::Fault;
use super::leases::Loaded;
use super::world::{At, Event, World};
use crate::core::mutation::Mutation;
use crate::core::{AttemptId, Input, RecordId, RecordItem};
use railhead_model::{DeliveryKey, DestinationNo, DestinationState, HostId, ShardNo};
use railhead_store::model::ModelCore;
use railhead_store::work::{Health, StableBatch};
use railhead_store::{RefillAsk, StoreError};

#[derive(Debug)]
pub enum Op {
    Refill(RefillAsk),
    Record(RecordId, Vec<RecordItem>),
    SaveHealth(DestinationNo, Health),
    Start(AttemptId, Vec<DeliveryKey>, bool),
    Unstart(AttemptId, Vec<DeliveryKey>),
    OpenBatch(StableBatch),
    CloseBatch(DestinationNo, u64),
    Disable(DestinationNo),
    Survey,
    Load(Vec<ShardNo>),
    /// When it was sent, on the host's monotonic clock.
    Renew(u64),
    TakeOver,
    Release(Vec<ShardNo>),
}

/// From a statement that did not work to the next try, in milliseconds.
pub const AGAIN_MS: u64 = 300;
/// The longest that a read is on its way, in milliseconds.
pub const MAX_READ_MS: u64 = 3_000;

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
                if !self.is_out() {
                    return self.fenced_write(at, |store, id| store.save_health(id, &[(no, health)])).map(drop);
                }
            }
            Op::Start(id, keys, alone) => return self.start_op(at, id, keys, alone),
            Op::Unstart(id, keys) => return self.unstart_op(at, id, keys),
            Op::OpenBatch(batch) => return self.open_batch(at, batch),
            Op::CloseBatch(no, number) => {
                if self.is_out() {
                    self.at(AGAIN_MS, Event::Op(at, Op::CloseBatch(no, number)));
                } else if self.fenced_write(at, |store, id| store.close_batch(id, no, number))? {
                    let soon = self.between(1, 8);
                    self.at(soon, Event::Input(at, Input::BatchClosed(no, number)));
                }
            }
            Op::Disable(no) => self.disable(at, no),
            Op::Survey => self.survey_op(at),
            Op::Load(shards) => self.load_op(at, shards),
            Op::Renew(_) | Op::TakeOver | Op::Release(_) => return self.lease_op(at, op),
        }
        Ok(())
    }

    /// A fenced write: true if it was done, false if it was refused. Refused, it has changed no batch.
    pub fn fenced_write(
        &mut self,
        at: At,
        write: impl FnOnce(&mut ModelCore, HostId) -> Result<(), StoreError>,
    ) -> Result<bool, Failure> {
        let id = self.hosts[at.host].id;
        let is_fenced = self.is_fenced(id);
        let all: Vec<_> = self.moods.keys().copied().collect();
        let before = if is_fenced { self.store.stored_batches(&all) } else { Vec::new() };
        let done = write(&mut self.store, id).is_ok();
        if is_fenced && (done || self.store.stored_batches(&all) != before) {
            return Err(Failure::new(Check::Fence, format!("host {} was fenced, and its write went through", at.host)));
        }
        if !done {
            self.fenced(at);
        }
        Ok(done)
    }

    pub fn is_fenced(&mut self, id: HostId) -> bool {
        self.store.save_health(id, &[]) == Err(StoreError::Fenced)
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
        let delay = if self.fault(Fault::DelayedRead, slow) { self.between(50, MAX_READ_MS) } else { soon };
        self.at(delay, Event::Input(at, Input::Refilled { destination: no, rows }));
    }

    fn open_batch(&mut self, at: At, batch: StableBatch) -> Result<(), Failure> {
        let (no, number) = (batch.destination, batch.number);
        if self.is_out() || self.chance(0.05) {
            self.at(AGAIN_MS, Event::Op(at, Op::OpenBatch(batch)));
            return Ok(());
        }
        if self.fenced_write(at, |store, id| store.open_batches(id, &[batch]))? {
            let soon = self.between(1, 8);
            self.at(soon, Event::Input(at, Input::BatchOpened(no, number)));
        }
        Ok(())
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
        if self.fault == Some(Mutation::ConfigUnsurveyed) {
            return;
        }
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
        let slow = self.plan.delayed_read;
        let delay =
            if self.fault(Fault::DelayedConfig, slow) { self.between(200, 1_000) } else { self.between(1, 200) };
        self.at(delay, Event::Loaded(at, Loaded { destinations, batches }));
    }
}
