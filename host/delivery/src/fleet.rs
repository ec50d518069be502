//! The destinations that this host owns, as they are configured now.

use crate::catalog::Catalog;
use crate::core::Settings;
use crate::options::Options;
use railhead_model::{Batch, DestinationNo, DestinationState, Ordering, ShardNo, TenantNo};
use railhead_store::directory::{Destination, Tenant};
use railhead_store::work::Health;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A destination and its tenant, shared by all its hand-overs.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub destination: Arc<Destination>,
    pub tenant: Arc<Tenant>,
}

/// Owned destinations by number.
#[derive(Debug, Default)]
pub(crate) struct Fleet(RwLock<BTreeMap<DestinationNo, Member>>);

#[derive(Debug)]
struct Member {
    loaded: Loaded,
    health: Health,
}

impl Fleet {
    pub fn get(&self, no: DestinationNo) -> Option<Loaded> {
        self.read().get(&no).map(|member| member.loaded.clone())
    }

    /// Takes a destination in, or its new configuration. Health that runs here stays.
    pub fn insert(&self, loaded: Loaded) {
        let no = loaded.destination.no;
        let mut fleet = self.write();
        match fleet.get_mut(&no) {
            Some(member) => member.loaded = loaded,
            None => {
                let health = loaded.destination.health.clone();
                fleet.insert(no, Member { loaded, health });
            }
        }
    }

    pub fn remove(&self, no: DestinationNo) -> bool {
        self.write().remove(&no).is_some()
    }

    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Destinations after `after`, by number, at most `limit`.
    pub fn page(&self, after: Option<DestinationNo>, limit: usize) -> Vec<DestinationNo> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.read().range((from, Bound::Unbounded)).take(limit).map(|(no, _)| *no).collect()
    }

    /// Those of these that are not there.
    pub fn missing(&self, nos: impl Iterator<Item = DestinationNo>) -> Vec<DestinationNo> {
        let fleet = self.read();
        nos.filter(|no| !fleet.contains_key(no)).collect()
    }

    /// The revision that is loaded.
    pub fn revision(&self, no: DestinationNo) -> Option<i64> {
        self.read().get(&no).map(|member| member.loaded.destination.revision)
    }

    /// The revisions of all destinations that were loaded.
    pub fn revisions(&self) -> BTreeMap<DestinationNo, i64> {
        self.read().iter().map(|(no, member)| (*no, member.loaded.destination.revision)).collect()
    }

    /// A tenant's owned destinations.
    pub fn of_tenant(&self, tenant: TenantNo) -> Vec<DestinationNo> {
        let fleet = self.read();
        fleet.iter().filter(|(_, member)| member.loaded.tenant.no == tenant).map(|(no, _)| *no).collect()
    }

    /// Destinations of shards that are not owned any more.
    pub fn outside(&self, owned: &BTreeSet<ShardNo>) -> Vec<DestinationNo> {
        self.read().keys().filter(|no| !owned.contains(&no.shard())).copied().collect()
    }

    pub fn health(&self, no: DestinationNo) -> Option<Health> {
        self.read().get(&no).map(|member| member.health.clone())
    }

    pub fn set_health(&self, no: DestinationNo, health: Health) {
        if let Some(member) = self.write().get_mut(&no) {
            member.health = health;
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<DestinationNo, Member>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<DestinationNo, Member>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the engine needs to know of a destination. One whose connector this host does not have waits as if paused: its
/// deliveries are not failed for a deployment's mistake.
pub(crate) fn settings(destination: &Destination, catalog: &Catalog, options: &Options) -> Settings {
    let spec = &destination.spec;
    let manifest = catalog.get(&spec.connector);
    let state = match (destination.state, manifest) {
        (DestinationState::Active, None) => {
            tracing::error!(destination = %destination.id, connector = %spec.connector, "this host does not have the connector; deliveries wait");
            DestinationState::Paused
        }
        (state, _) => state,
    };
    Settings {
        no: destination.no,
        tenant: destination.tenant,
        state,
        retry: spec.retry.clone(),
        jitter: spec.jitter,
        rate_limit: spec.rate_limit,
        concurrency: spec.concurrency.max(1),
        hand_over: manifest.map_or(1, |manifest| manifest.hand_over).clamp(1, options.hand_over.max(1)),
        sessions: manifest.map_or(1, |manifest| manifest.max_sessions).max(1),
        batch: batch_of(destination, catalog),
        ordered: spec.ordering != Ordering::None,
        hold_on_dead: false,
        health: destination.health.clone(),
    }
}

/// True if what is handed over to the destination is a batch.
pub(crate) fn takes_batches(destination: &Destination, catalog: &Catalog) -> bool {
    batch_of(destination, catalog).is_some_and(|(batch, _)| batch.is_batched())
}

/// A destination's batch bounds, and whether its batches are stable; `None` where its connector takes none.
pub(crate) fn batch_of(destination: &Destination, catalog: &Catalog) -> Option<(Batch, bool)> {
    let bounds = catalog.get(&destination.spec.connector)?.batch?;
    Some((destination.spec.batch.unwrap_or(bounds.default), bounds.stable))
}
