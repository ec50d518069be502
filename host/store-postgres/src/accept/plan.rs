//! A batch laid out for its statement: what is sent in which order, and what its rows mean for each event.

mod columns;

use crate::partition::day_start;
use crate::rows::{hash, int, text};
use columns::{EventColumns, FanoutColumns, LaneColumns, WorkColumns};
use railhead_model::time::DAY_MS;
use railhead_model::{EventUid, Timestamp};
use railhead_store::accept::{Accepted, FirstEvent, MAX_DIRECT, NewEvent};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// So close to UTC midnight two hosts may see different days: events with a vendor id take locks. Hosts' clocks may be
/// ten seconds apart, five on each side of the truth; the rest is for what happens between the clock and the commit.
const MIDNIGHT_MS: i64 = 15_000;

/// Why an event was not inserted.
#[derive(Clone, Debug)]
pub enum Why {
    /// It is there: an earlier sending stored it.
    Stored,
    /// Another one with its vendor id is there.
    Duplicate(FirstEvent),
    /// Neither: it was routed by another generation than the tenant's.
    Stale,
    /// Neither: its tenant's configuration was being written.
    Busy,
    /// Its tenant is gone.
    NoTenant,
}

/// A batch without its own repetitions, sorted: concurrent batches take the unique entries in one order.
pub struct Plan<'a> {
    batch: &'a [NewEvent],
    /// For each event of the batch: the index of the one that it repeats, or its own.
    first: Vec<usize>,
    /// Indices of events that repeat nothing, in the order of sending.
    sent: Vec<usize>,
}

impl<'a> Plan<'a> {
    pub fn new(batch: &'a [NewEvent]) -> Self {
        let first = firsts(batch);
        let mut sent: Vec<usize> = (0..batch.len()).filter(|i| first.get(*i) == Some(i)).collect();
        sent.sort_by_key(|i| batch.get(*i).map(|event| (event.uid.at().day(), event.idh, event.uid)));
        Self { batch, first, sent }
    }

    /// The events that are sent, in the order of sending.
    pub fn firsts(&self) -> impl Iterator<Item = &'a NewEvent> + '_ {
        self.sent.iter().filter_map(|i| self.batch.get(*i))
    }

    /// The UTC days that need partitions.
    pub fn days(&self) -> Vec<i32> {
        self.firsts().map(|event| event.uid.at().day()).collect()
    }

    /// The tenants, sorted.
    pub fn tenants(&self) -> Vec<i64> {
        self.firsts().map(|event| event.tenant.0).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Advisory locks for the vendor ids that came close to midnight, sorted.
    pub fn midnight_locks(&self) -> Vec<i64> {
        let close = self.firsts().filter(|event| to_midnight(event.uid.at()) <= MIDNIGHT_MS);
        let keys = close.filter_map(|event| event.idh).filter_map(|idh| idh.first_chunk().copied());
        keys.map(i64::from_be_bytes).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The same for events of these tenants only.
    pub fn of(&self, tenants: &BTreeSet<i64>) -> Self {
        let theirs = |i: &usize| self.batch.get(*i).is_some_and(|event| tenants.contains(&event.tenant.0));
        let sent = self.sent.iter().copied().filter(theirs).collect();
        Self { batch: self.batch, first: self.first.clone(), sent }
    }

    /// True if something in it takes a place in an order.
    pub fn has_lanes(&self) -> bool {
        self.firsts().any(|event| is_direct(event) && lanes_of(event).next().is_some())
    }

    /// How many places in its order each destination gives to this batch, and whose it is.
    pub fn lane_columns(&self) -> LaneColumns {
        let mut columns = LaneColumns::default();
        for (no, (count, tenant)) in self.lane_counts() {
            columns.destination.push(no);
            columns.count.push(count);
            columns.tenant.push(tenant);
        }
        columns
    }

    fn lane_counts(&self) -> BTreeMap<i64, (i64, i64)> {
        let mut counts = BTreeMap::new();
        for event in self.firsts().filter(|event| is_direct(event)) {
            for (no, _) in lanes_of(event) {
                counts.entry(no).or_insert((0, event.tenant.0)).0 += 1;
            }
        }
        counts
    }

    pub fn event_columns(&self) -> EventColumns<'a> {
        EventColumns {
            uid: self.column(|e| e.uid.0),
            tenant: self.column(|e| e.tenant.0),
            generation: self.column(|e| e.generation),
            idh: self.column(|e| e.idh.map(hash)),
            digest: self.column(|e| hash(e.digest)),
            id: self.column(|e| text(&e.id)),
            event_type: self.column(|e| text(&e.event_type)),
            at: self.column(|e| e.at.0),
            route: self.column(|e| e.route.encode()),
            origin: self.column(|e| e.origin as i16),
            head: self.column(|e| &*e.head),
            payload: self.column(|e| &*e.payload),
            payload_bytes: self.column(|e| int(e.payload_bytes)),
            low: self.column(low),
            before: self.column(before),
        }
    }

    /// `last`: the last place in its order that each destination gave to this batch. Places are given in the batch's
    /// own order; the rows are sent sorted by key.
    pub fn work_columns(&self, last: &BTreeMap<i64, i64>) -> WorkColumns {
        let mut next: BTreeMap<i64, i64> =
            self.lane_counts().iter().map(|(no, (n, _))| (*no, last.get(no).copied().unwrap_or(0) - n)).collect();
        let mut seqs = BTreeMap::new();
        let own_order = self.batch.iter().zip(&self.first).enumerate().filter(|(i, (_, first))| i == *first);
        for (_, (event, _)) in own_order.filter(|(_, (event, _))| is_direct(event)) {
            for (no, lane) in lanes_of(event) {
                let seq = next.entry(no).or_insert(0);
                *seq += 1;
                seqs.insert((event.uid, no), (lane, *seq));
            }
        }
        let mut columns = WorkColumns::default();
        for event in self.firsts().filter(|event| is_direct(event)) {
            for no in event.route.matched() {
                let place = seqs.get(&(event.uid, no.0));
                columns.event.push(event.uid.0);
                columns.destination.push(no.0);
                columns.tenant.push(event.tenant.0);
                columns.due.push(event.at.0);
                columns.lane.push(place.map(|(lane, _)| hash(*lane)));
                columns.seq.push(place.map_or(0, |(_, seq)| *seq));
                columns.origin.push(event.origin as i16);
                columns.bytes.push(int(event.payload_bytes));
            }
        }
        columns
    }

    pub fn fanout_columns(&self) -> FanoutColumns {
        let wide: Vec<_> = self.firsts().filter(|event| !is_direct(event)).collect();
        FanoutColumns {
            event: wide.iter().map(|e| e.uid.0).collect(),
            tenant: wide.iter().map(|e| e.tenant.0).collect(),
            lanes: wide.iter().map(|e| encode_lanes(e)).collect(),
        }
    }

    /// One answer for each event of the batch, in its order.
    pub fn answers(&self, stored: &BTreeSet<EventUid>, why: &BTreeMap<EventUid, Why>) -> Vec<Accepted> {
        let own = |event: &NewEvent| match why.get(&event.uid) {
            _ if stored.contains(&event.uid) => Accepted::Stored,
            Some(Why::Stored) => Accepted::Stored,
            Some(Why::Duplicate(first)) => Accepted::Duplicate(first.clone()),
            Some(Why::NoTenant) => Accepted::NoTenant,
            Some(Why::Busy) => Accepted::Busy,
            Some(Why::Stale) | None => Accepted::Stale,
        };
        let answer = |(event, first): (&NewEvent, &usize)| {
            let Some(first) = self.batch.get(*first) else { return Accepted::Stale };
            match own(first) {
                Accepted::Stored if first.uid != event.uid => Accepted::Duplicate(first_event(first)),
                other => other,
            }
        };
        self.batch.iter().zip(&self.first).map(answer).collect()
    }

    fn column<T>(&self, of: impl Fn(&'a NewEvent) -> T) -> Vec<T> {
        self.firsts().map(of).collect()
    }
}

/// The lanes of a fan-out, for its row: (destination, lane) in 24 bytes each.
pub fn encode_lanes(event: &NewEvent) -> Vec<u8> {
    event.lanes.iter().flat_map(|(no, lane)| no.0.to_be_bytes().into_iter().chain(*lane)).collect()
}

/// First uid of the day before: an older event with the same vendor id is another event.
pub fn low(event: &NewEvent) -> Uuid {
    day_start(event.uid.at().day() - 1)
}

/// End of the search for a first one, the event's own day included.
pub fn high(event: &NewEvent) -> Uuid {
    day_start(event.uid.at().day() + if is_late(event) { 2 } else { 1 })
}

/// End of the search before the insert: its own day is searched by the unique index. Just before midnight the next day
/// counts too: a host whose clock is ahead may have stored the same id there.
fn before(event: &NewEvent) -> Uuid {
    if is_late(event) { high(event) } else { day_start(event.uid.at().day()) }
}

fn is_late(event: &NewEvent) -> bool {
    DAY_MS - event.uid.at().0.rem_euclid(DAY_MS) <= MIDNIGHT_MS
}

fn to_midnight(at: Timestamp) -> i64 {
    let since = at.0.rem_euclid(DAY_MS);
    since.min(DAY_MS - since)
}

fn is_direct(event: &NewEvent) -> bool {
    event.route.matched().count() <= MAX_DIRECT
}

/// The lanes of matched destinations.
fn lanes_of(event: &NewEvent) -> impl Iterator<Item = (i64, [u8; 16])> + '_ {
    let matched: BTreeSet<_> = event.route.matched().collect();
    event.lanes.iter().filter(move |(no, _)| matched.contains(no)).map(|(no, lane)| (no.0, *lane))
}

/// Repetitions inside the batch. Events of different generations are sent all: at most one of them is current.
fn firsts(batch: &[NewEvent]) -> Vec<usize> {
    let mut uids = BTreeMap::new();
    let mut ids: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    let mut first = Vec::with_capacity(batch.len());
    for (i, event) in batch.iter().enumerate() {
        let same_uid = *uids.entry(event.uid).or_insert(i);
        if same_uid != i {
            first.push(first.get(same_uid).copied().unwrap_or(same_uid));
            continue;
        }
        let Some(idh) = event.idh else {
            first.push(i);
            continue;
        };
        let earlier = ids.entry((idh, event.tenant, event.generation)).or_default();
        let day = event.uid.at().day();
        let near = |j: &&usize| batch.get(**j).is_some_and(|e| (day - 1..=day).contains(&e.uid.at().day()));
        let repeated = earlier.iter().rev().find(near).copied();
        if repeated.is_none() {
            earlier.push(i);
        }
        first.push(repeated.unwrap_or(i));
    }
    first
}

fn first_event(event: &NewEvent) -> FirstEvent {
    FirstEvent {
        uid: event.uid,
        id: event.id.clone(),
        digest: event.digest,
        deliveries: u32::try_from(event.route.matched().count()).unwrap_or(u32::MAX),
    }
}
