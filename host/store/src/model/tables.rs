//! The rows that the model keeps beside the public types, and the queue's own moves.

use super::ModelCore;
use crate::history::AttemptRow;
use crate::jobs::Replay;
use crate::{NewEvent, WorkRow};
use railhead_model::{AttemptKey, DeliveryKey, DestinationNo, End, EventUid, HostId, Origin, Timestamp};
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};

/// An event as it was accepted; its payload may have been erased since.
#[derive(Clone, Debug)]
pub(super) struct EventRecord {
    pub event: NewEvent,
    pub erased: bool,
}

/// A work row with what only history needs.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub row: WorkRow,
    pub made_at: Timestamp,
    pub starts: Starts,
}

/// Starts of a delivery's next attempt that were put on record, of which no end is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Starts {
    /// Hosts that started it.
    pub count: u32,
    /// Tries that the delivery had then: another number is another attempt.
    pub tries: u32,
    /// The last of them; `None` if that one took its start back.
    pub by: Option<HostId>,
}

/// An ended delivery.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    /// As it was when it ended.
    pub row: WorkRow,
    pub made_at: Timestamp,
    pub end: End,
    pub code: String,
    pub attempts: u32,
    pub at: Timestamp,
    /// The attempt that ended it.
    pub last: Option<AttemptRow>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct HostRecord {
    pub expires: Timestamp,
    /// Since when its lease has run unbroken.
    pub since: Timestamp,
    pub fenced: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ShardRecord {
    pub owner: Option<HostId>,
    pub epoch: i64,
    /// When its last owners died, the newest first.
    pub deaths: [Timestamp; 3],
}

#[derive(Clone, Debug)]
pub(super) struct ReplayRecord {
    pub replay: Replay,
    /// The last ended delivery that was examined.
    pub cursor: Option<DeliveryKey>,
}

/// The smallest uid of this time: everything below it was accepted earlier.
pub(super) fn first_uid(at: Timestamp) -> EventUid {
    EventUid::new(at, [0; 10])
}

/// What a new delivery starts with.
pub(super) struct NewWork {
    pub key: DeliveryKey,
    pub lane: Option<[u8; 16]>,
    pub origin: Origin,
    pub previous: Option<u32>,
    pub job: Option<railhead_model::JobId>,
    pub due: Timestamp,
    pub bytes: u32,
}

impl ModelCore {
    /// Makes an unfinished delivery; one with a lane joins at the tail of its destination's order.
    pub(super) fn insert_work(&mut self, tenant: railhead_model::TenantNo, new: NewWork) {
        let NewWork { key, lane, origin, previous, job, due, bytes } = new;
        let seq = if lane.is_some() { self.next_seq(key.destination) } else { 0 };
        let (attempts, tries, since, rev) = (0, 0, None, 0);
        let row = WorkRow { key, tenant, due, attempts, tries, since, rev, lane, seq, origin, previous, job, bytes };
        self.put_work(Waiting { row, made_at: due, starts: Starts::default() });
    }

    pub(super) fn next_seq(&mut self, destination: DestinationNo) -> i64 {
        let seq = self.last_seq.entry(destination).or_insert(0);
        *seq += 1;
        *seq
    }

    /// Stores a row in the place of the one with its key, with its index entries.
    pub(super) fn put_work(&mut self, waiting: Waiting) {
        let row = waiting.row;
        self.take_work(row.key);
        self.due.insert((row.key.destination, row.due, row.key.event, row.key.run));
        if row.lane.is_some() {
            self.order.insert((row.key.destination, row.seq), row.key);
        }
        self.work.insert(row.key, waiting);
    }

    /// Removes a row with its index entries.
    pub(super) fn take_work(&mut self, key: DeliveryKey) -> Option<Waiting> {
        let waiting = self.work.remove(&key)?;
        let row = waiting.row;
        self.due.remove(&(key.destination, row.due, key.event, key.run));
        self.order.remove(&(key.destination, row.seq));
        Some(waiting)
    }

    /// Ends an unfinished delivery without an attempt. False: it is not there.
    pub(super) fn end_work(&mut self, key: DeliveryKey, end: End, code: &str, at: Timestamp) -> bool {
        let Some(Waiting { row, made_at, .. }) = self.take_work(key) else { return false };
        let code = code.to_owned();
        let ended = Ended { row, made_at, end, code, attempts: row.attempts, at, last: None };
        self.ended.insert(key, ended);
        true
    }

    /// A destination's unfinished deliveries by (due, event, run), after a place.
    pub(super) fn queue_of(
        &self,
        destination: DestinationNo,
        after: Option<(Timestamp, EventUid, u32)>,
    ) -> impl Iterator<Item = &WorkRow> {
        let lower = match after {
            Some((due, event, run)) => Excluded((destination, due, event, run)),
            None => Included((destination, Timestamp(i64::MIN), first_uid(Timestamp(0)), 0)),
        };
        let own = self.due.range((lower, Unbounded)).take_while(move |entry| entry.0 == destination);
        own.filter_map(|(destination, _, event, run)| {
            self.work_of(DeliveryKey { event: *event, destination: *destination, run: *run })
        })
    }

    /// The keys of a destination's unfinished deliveries, in the same order.
    pub(super) fn keys_of(&self, destination: DestinationNo) -> Vec<DeliveryKey> {
        self.queue_of(destination, None).map(|row| row.key).collect()
    }

    /// The last run of an event at a destination, waiting or ended.
    pub(super) fn last_run(&self, key: DeliveryKey) -> u32 {
        let (first, last) = (DeliveryKey { run: 0, ..key }, DeliveryKey { run: u32::MAX, ..key });
        let last_of = |run: Option<&DeliveryKey>| run.map_or(0, |key| key.run);
        let waiting = last_of(self.work.range(first..=last).next_back().map(|(key, _)| key));
        waiting.max(last_of(self.ended.range(first..=last).next_back().map(|(key, _)| key)))
    }

    /// Every attempt of a delivery, by n, the one that ended it included.
    pub(super) fn attempts_of(&self, key: DeliveryKey) -> BTreeMap<u32, AttemptRow> {
        let range = AttemptKey { delivery: key, n: 0 }..=AttemptKey { delivery: key, n: u32::MAX };
        let mut all: BTreeMap<_, _> = self.attempts.range(range).map(|(key, row)| (key.n, row.clone())).collect();
        if let Some(last) = self.ended.get(&key).and_then(|ended| ended.last.clone()) {
            all.insert(last.attempt.n, last);
        }
        all
    }
}
