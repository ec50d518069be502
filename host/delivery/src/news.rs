//! What was done through this host: its engine hears of it at once, and so do the hosts that own what it does not.

use crate::core::Input;
use crate::running::Shared;
use railhead_model::{DeliveryKey, DestinationNo, Event, EventUid, TenantNo};
use railhead_store::accept::MAX_DIRECT;
use railhead_store::{NewEvent, WorkRow};
use std::sync::Arc;

impl Shared {
    /// Events that became durable here: payloads of those that are delivered here are kept, and the engine gets their
    /// work; other hosts are told of theirs.
    pub fn stored<'a>(&self, events: impl Iterator<Item = (&'a NewEvent, &'a Arc<Event>)>) {
        let (mut rows, mut hinted, mut foreign, mut count) = (Vec::new(), Vec::new(), Vec::new(), 0);
        let held = self.lease.held();
        for (new, event) in events {
            count += 1;
            let matched = new.route.matched().count();
            if matched > MAX_DIRECT {
                self.payloads.offer(event, matched);
                self.fanouts.notify_one();
                continue;
            }
            let mut own = 0;
            for destination in new.route.matched() {
                if !held.contains(&destination.shard()) {
                    foreign.push(destination);
                    continue;
                }
                own += 1;
                // Its place in the order is known to the store only.
                if new.lanes.iter().any(|(laned, _)| *laned == destination) {
                    hinted.push(destination);
                } else {
                    rows.push(fresh(new, destination));
                }
            }
            self.payloads.offer(event, own);
        }
        drop(held);
        metrics::counter!(crate::measures::ACCEPTED).increment(count);
        if !rows.is_empty() {
            self.input(Input::Pushed(rows));
        }
        if !hinted.is_empty() {
            self.input(Input::Hinted(hinted));
        }
        if !foreign.is_empty() {
            self.outbox.work(&foreign);
        }
    }

    /// Work of these destinations was made or changed.
    pub fn hint(&self, destinations: Vec<DestinationNo>) {
        if destinations.is_empty() {
            return;
        }
        let held = self.lease.held();
        let foreign: Vec<_> = destinations.iter().filter(|no| !held.contains(&no.shard())).copied().collect();
        drop(held);
        if !foreign.is_empty() {
            self.outbox.work(&foreign);
        }
        self.input(Input::Hinted(destinations));
    }

    /// A tenant's configuration was changed through this host.
    pub fn config_changed(&self, tenant: TenantNo, destinations: &[DestinationNo]) {
        self.follow(tenant, destinations);
        self.outbox.config(tenant, destinations);
    }

    /// A tenant's configuration changed, here or elsewhere.
    pub fn follow(&self, tenant: TenantNo, destinations: &[DestinationNo]) {
        self.tables.forget(tenant);
        destinations.iter().for_each(|no| self.connectors.retire(*no));
        let _ = self.changes.send((tenant, destinations.to_vec())); // closed at a shutdown only
    }

    /// An event's payload was erased through this host.
    pub fn erased(&self, event: EventUid) {
        self.payloads.erase(event);
        self.outbox.erased(event);
    }

    /// A replay was started or cancelled through this host.
    pub fn jobs_changed(&self) {
        self.jobs.notify_one();
        self.outbox.jobs();
    }
}

fn fresh(new: &NewEvent, destination: DestinationNo) -> WorkRow {
    WorkRow {
        key: DeliveryKey { event: new.uid, destination, run: 0 },
        tenant: new.tenant,
        due: new.at,
        attempts: 0,
        tries: 0,
        since: None,
        rev: 0,
        lane: None,
        seq: 0,
        origin: new.origin,
        previous: None,
        job: None,
        bytes: new.payload_bytes,
    }
}
