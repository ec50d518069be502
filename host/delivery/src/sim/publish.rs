//! Publishing: accept, acknowledge, push or hint.

use super::clock::FAR_MS;
use super::failure::Failure;
use super::faults::Fault;
use super::world::{At, Event, HOSTS, World};
use crate::core::Input;
use crate::core::mutation::Mutation;
use bytes::Bytes;
use railhead_model::{DeliveryKey, DestinationNo, EventUid, Ordering, Origin, Route, TenantNo, Verdict};
use railhead_store::directory::Destination;
use railhead_store::{Accepted, NewEvent, WorkRow};
use rand::RngExt;
use std::collections::BTreeMap;

/// Bytes of payloads; the last is more than a batch may have.
const SIZES: [u32; 4] = [90, 300, 450, 1_400];

impl World {
    pub fn publish(&mut self) -> Result<(), Failure> {
        if self.calm {
            return Ok(());
        }
        let next = if self.random.random_bool(0.1) { self.between(1_000, 4_000) } else { self.between(20, 900) };
        self.at(next, Event::Publish);
        let host = self.between(0, HOSTS as u64 - 1) as usize;
        if !self.hosts[host].alive || self.hosts[host].paused_until > self.now {
            return Ok(()); // the publisher gets no answer
        }
        let tenant = self.tenants[self.random.random_range(0..self.tenants.len())];
        let count = if self.random.random_bool(0.1) { 30 } else { self.between(1, 4) };
        let events: Vec<_> = (0..count).map(|_| self.event(host, tenant)).collect();
        let at = At { host, life: self.hosts[host].life };
        if self.fault == Some(Mutation::EarlyAcknowledgement) {
            self.at(1, Event::Acknowledge(events.clone()));
        }
        let soon = self.between(1, 12);
        self.at(soon, Event::Accept(at, events));
        Ok(())
    }

    fn event(&mut self, host: usize, tenant: TenantNo) -> NewEvent {
        let now = self.wall_of(host);
        let uid = EventUid::new(now, self.random.random());
        let lane = [self.random.random_range(0..3); 16];
        let mut event = NewEvent {
            uid,
            tenant,
            generation: 0,
            idh: None,
            digest: [0; 16],
            id: uid.to_string(),
            event_type: "thing.happened".to_owned(),
            at: now,
            route: Route::default(),
            origin: Origin::Publish,
            lanes: vec![(DestinationNo(0), lane)],
            head: Bytes::new(),
            payload: Bytes::new(),
            payload_bytes: SIZES[self.random.random_range(0..SIZES.len())],
        };
        self.route(&mut event);
        if self.plan.has_killer {
            self.poison.published(self.now, uid);
        }
        event
    }

    /// Routes by the configuration as it is now.
    fn route(&mut self, event: &mut NewEvent) {
        let lane = event.lanes.first().map(|(_, lane)| *lane).unwrap_or_default();
        let destinations = self.store.destinations(event.tenant).unwrap_or_default();
        let generation = self.store.tenant_by_no(event.tenant).ok().flatten().map_or(0, |tenant| tenant.generation);
        let verdict =
            |d: &Destination| if d.no.0 as u8 % 4 == lane[0] { Verdict::FilteredType } else { Verdict::Matched };
        event.generation = generation;
        event.route = Route { generation, verdicts: destinations.iter().map(|d| (d.no, verdict(d))).collect() };
        let ordered =
            destinations.iter().filter(|d| d.spec.ordering != Ordering::None && verdict(d) == Verdict::Matched);
        event.lanes = ordered.map(|d| (d.no, lane)).collect();
        // The lane's value itself is kept for routing again.
        event.lanes.insert(0, (DestinationNo(0), lane));
    }

    pub fn accept(&mut self, at: At, mut events: Vec<NewEvent>) -> Result<(), Failure> {
        if self.hosts[at.host].life != at.life || !self.hosts[at.host].alive {
            return Ok(()); // it died first, and nobody was told anything
        }
        let before = self.plan.unknown_before;
        if self.is_out() || self.chance(before) {
            self.at(250, Event::Accept(at, events));
            return Ok(());
        }
        let answers = self.store.accept(&events).unwrap_or_default();
        let rows = self.rows_of(&events, &answers);
        let lost = self.plan.lost_answer;
        if self.fault(Fault::LostAccept, lost) {
            self.at(250, Event::Accept(at, events));
            return Ok(());
        }
        let stale: Vec<NewEvent> = {
            let mut answers = answers.iter();
            let stale = |_: &mut NewEvent| answers.next() == Some(&Accepted::Stale);
            events.extract_if(.., stale).collect()
        };
        if !stale.is_empty() {
            self.reached.count(Fault::StaleRoute);
            let mut again = stale;
            again.iter_mut().for_each(|event| self.route(event));
            self.at(5, Event::Accept(at, again));
        }
        let soon = self.between(1, 12);
        self.at(soon, Event::Acknowledge(events));
        self.tell(at, rows);
        Ok(())
    }

    fn rows_of(&self, events: &[NewEvent], answers: &[Accepted]) -> Vec<WorkRow> {
        let stored = events.iter().zip(answers).filter(|(_, answer)| **answer == Accepted::Stored);
        let keys = stored.flat_map(|(event, _)| {
            event.route.matched().map(|destination| DeliveryKey { event: event.uid, destination, run: 0 })
        });
        keys.filter_map(|key| self.store.work_of(key).copied()).collect()
    }

    /// Rows go to this host's own engine, or a hint to whoever owns them.
    fn tell(&mut self, at: At, rows: Vec<WorkRow>) {
        let mut own: BTreeMap<DestinationNo, Vec<WorkRow>> = BTreeMap::new();
        for row in rows {
            let ahead = |owner: usize| row.due.since(self.wall_of(owner)) > FAR_MS;
            if self.owner(row.key.destination).is_some_and(ahead) {
                self.reached.count(Fault::SkewedClock);
            }
            own.entry(row.key.destination).or_default().push(row);
        }
        for (no, rows) in own {
            let delay = self.between(0, 40);
            if self.hosts[at.host].known.contains_key(&no) {
                self.at(delay, Event::Push(at, rows));
            } else {
                self.hint_soon(no);
            }
        }
    }

    pub fn push(&mut self, at: At, rows: Vec<WorkRow>) -> Result<(), Failure> {
        self.input(at, Input::Pushed(rows))
    }

    pub fn acknowledge(&mut self, events: &[NewEvent]) -> Result<(), Failure> {
        for event in events {
            self.checks.acknowledged(&self.store, event.uid, event.route.matched().collect())?;
        }
        Ok(())
    }

    pub fn hint_soon(&mut self, no: DestinationNo) {
        let (lost, twice) = (self.plan.lost_hint, self.plan.duplicate_hint);
        if self.fault(Fault::LostHint, lost) {
            return;
        }
        let delay = self.between(1, 120);
        self.at(delay, Event::Hint(no));
        if self.fault(Fault::DuplicateHint, twice) {
            let delay = self.between(1, 600);
            self.at(delay, Event::Hint(no));
        }
    }

    pub fn hint(&mut self, no: DestinationNo) -> Result<(), Failure> {
        let Some(host) = self.owner(no) else { return Ok(()) };
        let at = At { host, life: self.hosts[host].life };
        self.at(0, Event::Input(at, Input::Hinted(vec![no])));
        Ok(())
    }
}
