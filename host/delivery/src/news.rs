//! What was done through this host: its engine hears of it at once, and so do the hosts that own what it does not.

use crate::config::Changed;
use crate::core::Input;
use crate::running::Shared;
use railhead_model::{DeliveryKey, DestinationNo, Event, EventUid, TenantNo};
use railhead_store::accept::MAX_DIRECT;
use railhead_store::{NewEvent, WorkRow};
use std::sync::Arc;
use std::sync::atomic::Ordering;

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
        self.read_again(Some(tenant), destinations.to_vec());
    }

    /// A person acted on this destination's work: wherever it runs, a failing one is tried at once. Its configuration
    /// did not change: nothing else is read again, and no session ends.
    pub fn probe(&self, no: DestinationNo) {
        if self.lease.held().contains(&no.shard()) {
            self.probe_here(vec![no]);
        } else {
            self.outbox.probe(no);
        }
    }

    /// The same of those that run here; only one that is failing is read.
    pub fn probe_here(&self, nos: Vec<DestinationNo>) {
        let is_failing = |no: &DestinationNo| self.fleet.health(*no).is_some_and(|health| health.open);
        let failing: Vec<_> = nos.into_iter().filter(is_failing).collect();
        if !failing.is_empty() {
            self.read_again(None, failing);
        }
    }

    fn read_again(&self, tenant: Option<TenantNo>, destinations: Vec<DestinationNo>) {
        let _ = self.changes.send(Changed { tenant, destinations }); // closed at a shutdown only
    }

    /// API keys were revoked or replaced through this host.
    pub fn keys_changed(&self) {
        self.forget_keys();
        self.outbox.keys();
    }

    /// API keys were revoked or replaced, here or elsewhere.
    pub fn forget_keys(&self) {
        self.keys.fetch_add(1, Ordering::Release);
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
