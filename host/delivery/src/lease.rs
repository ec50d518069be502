//! The host's lease: until when it may start something, and for which shards.
//!
//! The keeper is the only one that speaks to the database about it, one statement at a time: an older answer must not
//! bring back what was given away since.

mod giving;
mod keeper;
mod loader;

pub(crate) use keeper::Keeper;

use crate::options::Options;
use railhead_model::ShardNo;
use railhead_store::lease::LEASE_MS;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use tokio::sync::Notify;

/// Until when this host may start attempts, and which shards' destinations it runs. Its time is the monotonic one of
/// [`railhead_model::Clock`], which goes on while the machine sleeps, and no other.
#[derive(Debug, Default)]
pub(crate) struct LeaseClock {
    until_ms: AtomicU64,
    shards: RwLock<BTreeSet<ShardNo>>,
    /// Another host gave shards back, or anything may have changed.
    pub news: Notify,
}

impl LeaseClock {
    /// True if an attempt at this shard may start: the lease lives, and the shard is neither another's nor on its way
    /// there.
    pub fn lets_start(&self, shard: ShardNo, now_ms: u64) -> bool {
        now_ms < self.until_ms() && self.held().contains(&shard)
    }

    /// Until when it runs; 0 if it was ended.
    pub fn until_ms(&self) -> u64 {
        self.until_ms.load(Ordering::Acquire)
    }

    pub fn end(&self) {
        self.until_ms.store(0, Ordering::Release);
    }

    pub fn shards(&self) -> Vec<ShardNo> {
        self.held().iter().copied().collect()
    }

    /// The shards that are run here. While this is held none comes or goes.
    pub fn held(&self) -> RwLockReadGuard<'_, BTreeSet<ShardNo>> {
        self.shards.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn extend(&self, until_ms: u64, shards: BTreeSet<ShardNo>) {
        self.until_ms.store(until_ms, Ordering::Release);
        *self.shards.write().unwrap_or_else(PoisonError::into_inner) = shards;
    }
}

/// How long this host trusts a renewal, on its own clock, in milliseconds.
pub(crate) fn own_ms(options: &Options) -> u64 {
    u64::try_from(LEASE_MS).unwrap_or(0).saturating_sub(options.lease_margin_ms)
}
