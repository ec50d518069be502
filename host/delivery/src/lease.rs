//! The host's lease: join, take over, renew; load what came, drop what went.

use crate::config;
use crate::core::Input;
use crate::running::Shared;
use railhead_model::ShardNo;
use railhead_store::StoreError;
use railhead_store::lease::{LEASE_MS, Owned};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Shards of the whole.
const SHARDS: usize = 256;

/// Until when this host may start attempts, on its own monotonic clock, and which shards it owns.
#[derive(Debug, Default)]
pub(crate) struct LeaseClock {
    until_ms: AtomicU64,
    shards: RwLock<BTreeSet<ShardNo>>,
}

impl LeaseClock {
    pub fn is_live(&self, now_ms: u64) -> bool {
        now_ms < self.until_ms.load(Ordering::Acquire)
    }

    pub fn end(&self) {
        self.until_ms.store(0, Ordering::Release);
    }

    pub fn owns(&self, shard: ShardNo) -> bool {
        self.shards.read().unwrap_or_else(PoisonError::into_inner).contains(&shard)
    }

    pub fn shards(&self) -> Vec<ShardNo> {
        self.shards.read().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

/// Makes this host known and takes what is free.
///
/// # Errors
/// Of the store.
pub(crate) async fn join(shared: &Shared) -> Result<Owned, StoreError> {
    shared.store.join(shared.host, shared.clock.now()).await?;
    let before = shared.clock.monotonic_ms();
    let owned = shared.store.take_over(shared.host, shared.clock.now()).await?;
    extend(shared, before, &owned);
    tracing::info!(host = %shared.host, shards = owned.shards.len(), "joined");
    Ok(owned)
}

/// Loads what is owned, then renews until the task is ended or the host is fenced.
pub(crate) async fn keep(shared: Arc<Shared>, first: Owned) {
    let (owns, owned) = tokio::sync::watch::channel(shards(&first));
    let loader = Loader { shared: Arc::clone(&shared), owned };
    // Loading many destinations must not keep the lease from being renewed.
    let mut loading = tokio::task::JoinSet::new();
    loading.spawn(loader.run());
    loop {
        tokio::time::sleep(Duration::from_millis(shared.options.renew_ms)).await;
        let before = shared.clock.monotonic_ms();
        let now = shared.clock.now();
        let mut owned = shared.store.renew(shared.host, now).await;
        if owned.as_ref().is_ok_and(|owned| owned.shards.len() < SHARDS) {
            owned = shared.store.take_over(shared.host, now).await;
        }
        match owned {
            Ok(owned) => {
                extend(&shared, before, &owned);
                owns.send_if_modified(|there| {
                    let now = shards(&owned);
                    let changed = *there != now;
                    *there = now;
                    changed
                });
            }
            Err(StoreError::Fenced) => return shared.fenced(),
            Err(error) => tracing::warn!(%error, "the lease could not be renewed; it is tried again"),
        }
    }
}

fn shards(owned: &Owned) -> BTreeSet<ShardNo> {
    owned.shards.iter().map(|(shard, _)| *shard).collect()
}

fn extend(shared: &Shared, before_ms: u64, owned: &Owned) {
    let lease_ms = u64::try_from(LEASE_MS).unwrap_or(0).saturating_sub(shared.options.lease_margin_ms);
    let until_mono_ms = before_ms + lease_ms;
    shared.lease.until_ms.store(until_mono_ms, Ordering::Release);
    let shards = self::shards(owned);
    shared.lease.shards.write().unwrap_or_else(PoisonError::into_inner).clone_from(&shards);
    let shards = shards.into_iter().collect();
    shared.input(Input::Lease { host: shared.host, until_mono_ms, shards });
}

/// Follows what is owned.
struct Loader {
    shared: Arc<Shared>,
    owned: tokio::sync::watch::Receiver<BTreeSet<ShardNo>>,
}

impl Loader {
    async fn run(mut self) {
        let mut have = BTreeSet::new();
        loop {
            let want = self.owned.borrow_and_update().clone();
            let gained: Vec<_> = want.difference(&have).copied().collect();
            for no in self.shared.fleet.outside(&want) {
                config::drop_destination(&self.shared, no);
            }
            have = want;
            if !gained.is_empty() {
                self.load(&gained).await;
            }
            self.shared.set_loaded();
            if self.owned.changed().await.is_err() {
                return;
            }
        }
    }

    async fn load(&self, gained: &[ShardNo]) {
        while let Err(error) = config::load_shards(&self.shared, gained).await {
            tracing::warn!(%error, "destinations cannot be loaded now; it is tried again");
            tokio::time::sleep(Duration::from_millis(self.shared.options.renew_ms)).await;
        }
        tracing::info!(shards = gained.len(), destinations = self.shared.fleet.len(), "destinations loaded");
    }
}
