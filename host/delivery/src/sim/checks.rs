//! What must hold, whatever goes wrong.

use super::failure::{Check, Failure};
use super::receiver::NOT_SENT;

use railhead_model::{BodyPart, DeliveryKey, DestinationNo, End, EventUid, TenantNo, Transcript};
use railhead_store::history::AttemptRow;
use railhead_store::model::ModelCore;
use std::collections::{BTreeMap, BTreeSet};

/// A batch is no larger than its destination's bounds, but for one event alone. True if it has all the bytes that it may
/// have, more or less.
pub fn bounds(store: &ModelCore, no: DestinationNo, sent: &[DeliveryKey]) -> Result<bool, Failure> {
    let destination = store.destinations_by_no(&[no]).unwrap_or_default().pop();
    let Some(batch) = destination.and_then(|destination| destination.spec.batch) else { return Ok(false) };
    let uids: Vec<_> = sent.iter().map(|key| key.event).collect();
    let sizes: BTreeMap<_, _> =
        store.payloads(&uids).unwrap_or_default().into_iter().map(|event| (event.uid, event.payload_bytes)).collect();
    let bytes: u64 = uids.iter().map(|uid| u64::from(sizes.get(uid).copied().unwrap_or_default())).sum();
    if sent.len() > batch.max_events as usize {
        return Err(Failure::new(Check::Bounds, format!("{} events in a batch of {no}", sent.len())));
    }
    if sent.len() > 1 && bytes > batch.max_bytes {
        return Err(Failure::new(Check::Bounds, format!("{bytes} bytes in a batch of {no}")));
    }
    Ok(bytes * 10 >= batch.max_bytes * 9)
}

/// An attempt that was made is on record with its transcript. `n` is 0 where none was made.
pub fn transcript(store: &ModelCore, tenant: TenantNo, key: DeliveryKey, n: u32) -> Result<(), Failure> {
    if n == 0 {
        return Ok(());
    }
    let wrong = |what: String| Failure::new(Check::Transcript, format!("attempt {n} of {key} {what}"));
    let rows = store.attempts(tenant, key).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let row = rows.into_iter().find(|row| row.attempt.n == n).ok_or_else(|| wrong("is not on record".to_owned()))?;
    carried(&row, key).map_err(|what| wrong(what.to_owned()))
}

/// Its transcript is that of a request which carried its event.
fn carried(row: &AttemptRow, key: DeliveryKey) -> Result<(), &'static str> {
    let sealed = row.transcript.as_ref().ok_or("has no transcript")?;
    let read = serde_json::from_slice::<Transcript>(sealed).map_err(|_| "has a transcript that cannot be read")?;
    let seen = read.seen_by(key.event);
    let own = seen.exchanges.iter().any(|exchange| exchange.request.body.contains(&BodyPart::EventData));
    if own { Ok(()) } else { Err("has the transcript of another request") }
}

/// The simulation's own ledger, beside the store.
#[derive(Default)]
pub struct Checks {
    /// Events that a publisher was told are durable, with their matched destinations.
    acknowledged: BTreeMap<EventUid, Vec<DestinationNo>>,
    /// What destinations really have.
    arrived: BTreeSet<DeliveryKey>,
    /// What a connector said of itself it would not send.
    refused: BTreeSet<DeliveryKey>,
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
            return Err(Failure::new(Check::Kept, format!("{uid} was acknowledged and is not stored")));
        }
        for no in self.acknowledged.get(&uid).into_iter().flatten() {
            let key = DeliveryKey { event: uid, destination: *no, run: 0 };
            if store.work_of(key).is_none() && store.end_of(key).is_none() && !store.in_fanout(uid) {
                return Err(Failure::new(Check::Kept, format!("acknowledged, and lost: {key}")));
            }
        }
        Ok(())
    }

    /// At any moment.
    pub fn all_kept(&self, store: &ModelCore) -> Result<(), Failure> {
        self.acknowledged.keys().try_for_each(|uid| self.is_kept(store, *uid))
    }

    pub fn arrived(&mut self, key: DeliveryKey) {
        self.arrived.insert(key);
    }

    pub fn refused(&mut self, key: DeliveryKey) {
        self.refused.insert(key);
    }

    /// What one member of a batch ended of is its own.
    pub fn ended_of(&self, key: DeliveryKey, code: &str) -> Result<(), Failure> {
        if code == NOT_SENT && !self.refused.contains(&key) {
            return Err(Failure::new(Check::OwnEnd, format!("ended for what was wrong with another one: {key}")));
        }
        Ok(())
    }

    /// Ended exactly once, and as delivered only if it arrived.
    pub fn ended(&mut self, key: DeliveryKey, end: End) -> Result<(), Failure> {
        if !self.ended.insert(key) {
            return Err(Failure::new(Check::EndedOnce, format!("ended twice: {key}")));
        }
        if end == End::Delivered && !self.arrived.contains(&key) {
            return Err(Failure::new(Check::Arrived, format!("recorded as delivered, and never arrived: {key}")));
        }
        Ok(())
    }

    /// In a lane nothing starts before the one before it has ended, or with it in one batch, after it.
    pub fn lane(&self, store: &ModelCore, key: DeliveryKey, with: &[DeliveryKey]) -> Result<(), Failure> {
        let Some(row) = store.work_of(key).filter(|row| row.lane.is_some()) else { return Ok(()) };
        let earlier = store
            .unfinished()
            .filter(|other| other.key.destination == key.destination && other.lane == row.lane && other.seq < row.seq)
            .find(|other| !with.contains(&other.key));
        match earlier {
            Some(earlier) => Err(Failure::new(
                Check::Lane,
                format!("seq {} of a lane started before {} ended", row.seq, earlier.seq),
            )),
            None => Ok(()),
        }
    }

    /// A stable batch is stored first, and never changes but for members that have ended. A member goes on in another
    /// one only once the end of the one before is durable.
    pub fn batch(
        &mut self,
        store: &ModelCore,
        destination: DestinationNo,
        number: u64,
        sent: &[DeliveryKey],
    ) -> Result<(), Failure> {
        let stored = store.stored_batches(&[destination]);
        let open: BTreeSet<u64> = stored.iter().map(|batch| batch.number).collect();
        let stored = stored.into_iter().find(|batch| batch.number == number).map(|batch| batch.members);
        let first = self.batches.entry((destination, number)).or_insert_with(|| stored.clone().unwrap_or_default());
        if let Some(stored) = stored
            && stored != *first
        {
            return Err(Failure::new(Check::Batch, format!("the members of batch {number} changed")));
        }
        let left: Vec<_> = first.iter().filter(|key| store.end_of(**key).is_none()).collect();
        let expected: BTreeSet<_> = sent.iter().collect();
        if let Some(missing) = left.iter().find(|key| !expected.contains(**key)) {
            return Err(Failure::new(Check::Batch, format!("batch {number} was sent without {missing}")));
        }
        for key in sent {
            let before = self.member_of.insert(*key, number).unwrap_or(number);
            let moved = before != number && open.contains(&before);
            if !first.contains(key) || moved {
                return Err(Failure::new(Check::Batch, format!("{key} is not a member of batch {number}")));
            }
        }
        Ok(())
    }

    /// What went with this delivery in one stable batch.
    pub fn batch_of(&self, key: DeliveryKey) -> &[DeliveryKey] {
        let number = self.member_of.get(&key);
        number.and_then(|number| self.batches.get(&(key.destination, *number))).map_or(&[], Vec::as_slice)
    }

    /// After everything calmed down, everything has ended.
    pub fn at_the_end(&self, store: &ModelCore) -> Result<(), Failure> {
        self.all_kept(store)?;
        if let Some((key, _)) = store.ends().find(|(key, _)| !self.ended.contains(key)) {
            return Err(Failure::new(Check::EndedOnce, format!("ended, and nobody knows how: {key}")));
        }
        if let Some(row) = store.unfinished().next() {
            let count = store.unfinished().count();
            return Err(Failure::new(
                Check::Liveness,
                format!("{count} deliveries never ended, such as {} ({row:?})", row.key),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::world::World;
    use super::*;
    use bytes::Bytes;

    #[test]
    fn an_attempt_without_its_own_transcript_is_found() {
        let mut world = World::new(1, None, false);
        world.run().expect("a run without fault");
        let all: Vec<_> = world.store.ends().map(|(key, _)| key).collect();
        let nos: Vec<_> = all.iter().map(|key| key.destination).collect();
        let tenants = world.store.destinations_by_no(&nos).expect("read");
        let (tenant, key) = all
            .iter()
            .find_map(|key| {
                let tenant = tenants.iter().find(|one| one.no == key.destination)?.tenant;
                (!world.store.attempts(tenant, *key).ok()?.is_empty()).then_some((tenant, *key))
            })
            .expect("a delivery with attempts");
        let judged = |tenant, n| transcript(&world.store, tenant, key, n).map_err(|failure| failure.to_string());
        assert_eq!((judged(tenant, 0), judged(tenant, 1)), (Ok(()), Ok(())));
        assert!(judged(tenant, 9_999).expect_err("never made").contains("is not on record"));
        let row = world.store.attempts(tenant, key).expect("read").remove(0);
        let with = |transcript: Option<&'static [u8]>| {
            carried(&AttemptRow { transcript: transcript.map(Bytes::from_static), ..row.clone() }, key)
        };
        assert_eq!(with(None), Err("has no transcript"));
        assert_eq!(with(Some(b"?")), Err("has a transcript that cannot be read"));
        let empty = serde_json::to_vec(&Transcript::default()).expect("JSON");
        assert_eq!(with(Some(empty.leak())), Err("has the transcript of another request"));
        assert!(judged(TenantNo(i64::MAX), 1).expect_err("another's").contains("is not on record"));
    }
}
