//! What must hold, whatever goes wrong.

use super::world::Failure;
use railhead_model::{DeliveryKey, DestinationNo, End, EventUid};
use railhead_store::model::ModelCore;
use std::collections::{BTreeMap, BTreeSet};

/// The simulation's own ledger, beside the store.
#[derive(Default)]
pub struct Checks {
    /// Events that a publisher was told are durable, with their matched destinations.
    acknowledged: BTreeMap<EventUid, Vec<DestinationNo>>,
    /// What destinations really have.
    arrived: BTreeSet<DeliveryKey>,
    ended: BTreeSet<DeliveryKey>,
    /// Members of stable batches as first sent.
    batches: BTreeMap<(DestinationNo, u64), Vec<DeliveryKey>>,
    member_of: BTreeMap<DeliveryKey, u64>,
}

impl Checks {
    /// Acknowledged: in work, ended, or in fan-out.
    pub fn acknowledged(
        &mut self,
        store: &ModelCore,
        uid: EventUid,
        matched: Vec<DestinationNo>,
    ) -> Result<(), Failure> {
        self.acknowledged.insert(uid, matched);
        self.is_kept(store, uid)
    }

    fn is_kept(&self, store: &ModelCore, uid: EventUid) -> Result<(), Failure> {
        if !store.has_event(uid) {
            return Err(Failure(format!("{uid} was acknowledged and is not stored")));
        }
        for no in self.acknowledged.get(&uid).into_iter().flatten() {
            let key = DeliveryKey { event: uid, destination: *no, run: 0 };
            if store.work_of(key).is_none() && store.end_of(key).is_none() && !store.in_fanout(uid) {
                return Err(Failure(format!("acknowledged, and lost: {key}")));
            }
        }
        Ok(())
    }

    pub fn arrived(&mut self, key: DeliveryKey) {
        self.arrived.insert(key);
    }

    /// Ended exactly once, and as delivered only if it arrived.
    pub fn ended(&mut self, key: DeliveryKey, end: End) -> Result<(), Failure> {
        if !self.ended.insert(key) {
            return Err(Failure(format!("ended twice: {key}")));
        }
        if end == End::Delivered && !self.arrived.contains(&key) {
            return Err(Failure(format!("recorded as delivered, and never arrived: {key}")));
        }
        Ok(())
    }

    /// In a lane nothing starts before the one before it has ended.
    pub fn lane(&self, store: &ModelCore, key: DeliveryKey) -> Result<(), Failure> {
        let Some(row) = store.work_of(key).filter(|row| row.lane.is_some()) else { return Ok(()) };
        let earlier = store
            .unfinished()
            .find(|other| other.key.destination == key.destination && other.lane == row.lane && other.seq < row.seq);
        match earlier {
            Some(earlier) => Err(Failure(format!("seq {} of a lane started before {} ended", row.seq, earlier.seq))),
            None => Ok(()),
        }
    }

    /// A stable batch is stored first, and never changes but for members that have ended.
    pub fn batch(
        &mut self,
        store: &ModelCore,
        destination: DestinationNo,
        number: u64,
        sent: &[DeliveryKey],
    ) -> Result<(), Failure> {
        let stored = store.batches(&[destination]).unwrap_or_default();
        let stored = stored.into_iter().find(|batch| batch.number == number).map(|batch| batch.members);
        let first = self.batches.entry((destination, number)).or_insert_with(|| stored.clone().unwrap_or_default());
        if let Some(stored) = stored
            && stored != *first
        {
            return Err(Failure(format!("the members of batch {number} changed")));
        }
        let left: Vec<_> = first.iter().filter(|key| store.end_of(**key).is_none()).collect();
        let expected: BTreeSet<_> = sent.iter().collect();
        if let Some(missing) = left.iter().find(|key| !expected.contains(**key)) {
            return Err(Failure(format!("batch {number} was sent without {missing}")));
        }
        for key in sent {
            if !first.contains(key) || *self.member_of.entry(*key).or_insert(number) != number {
                return Err(Failure(format!("{key} is not a member of batch {number}")));
            }
        }
        Ok(())
    }

    /// After everything calmed down, everything has ended.
    pub fn at_the_end(&self, store: &ModelCore) -> Result<(), Failure> {
        for uid in self.acknowledged.keys() {
            self.is_kept(store, *uid)?;
        }
        if let Some(row) = store.unfinished().next() {
            let count = store.unfinished().count();
            return Err(Failure(format!("{count} deliveries never ended, such as {} ({row:?})", row.key)));
        }
        Ok(())
    }
}
