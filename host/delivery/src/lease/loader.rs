//! Follows what is owned: loads the destinations of shards that came.

use crate::config;
use crate::patience::patiently;
use crate::running::Shared;
use railhead_model::ShardNo;
use railhead_store::StoreError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::watch;

/// Shards that are to be loaded, each with the number of its coming: one that went and came is loaded again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    shards: BTreeMap<ShardNo, u64>,
    comings: u64,
}

impl Wanted {
    /// True if this is another set of shards than before.
    pub fn change(&mut self, shards: &BTreeSet<ShardNo>) -> bool {
        if self.shards.keys().eq(shards) {
            return false;
        }
        self.comings += 1;
        self.shards.retain(|no, _| shards.contains(no));
        for no in shards {
            self.shards.entry(*no).or_insert(self.comings);
        }
        true
    }

    /// Those that have come since.
    fn since(&self, before: &Self) -> Vec<ShardNo> {
        self.shards.iter().filter(|(no, coming)| before.shards.get(no) != Some(coming)).map(|(no, _)| *no).collect()
    }
}

/// Loads what comes, for ever. What goes is dropped by the keeper, at once.
pub(super) async fn run(shared: Arc<Shared>, mut wanted: watch::Receiver<Wanted>) {
    let mut have = Wanted::default();
    loop {
        let want = wanted.borrow_and_update().clone();
        let gained = want.since(&have);
        have = want;
        if !gained.is_empty() {
            load(&shared, &gained).await;
        }
        shared.set_loaded();
        if wanted.changed().await.is_err() {
            return;
        }
    }
}

async fn load(shared: &Shared, gained: &[ShardNo]) {
    if load_patiently(shared, gained).await.is_err() {
        // Something there cannot be read, however often: the other shards must not wait for it.
        for shard in gained {
            if let Err(error) = load_patiently(shared, std::slice::from_ref(shard)).await {
                tracing::error!(%error, shard = shard.0, "a shard's destinations cannot be loaded; a reload tries again");
            }
        }
    }
    tracing::info!(shards = gained.len(), destinations = shared.fleet.len(), "destinations loaded");
}

async fn load_patiently(shared: &Shared, shards: &[ShardNo]) -> Result<(), StoreError> {
    patiently("destinations cannot be loaded", || config::load_shards(shared, shards)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shards(nos: &[u8]) -> BTreeSet<ShardNo> {
        nos.iter().copied().map(ShardNo).collect()
    }

    #[test]
    fn a_shard_that_went_and_came_is_loaded_again() {
        let mut wanted = Wanted::default();
        assert!(wanted.change(&shards(&[1, 2])));
        assert!(!wanted.change(&shards(&[1, 2])));
        let before = wanted.clone();
        assert!(wanted.change(&shards(&[1])));
        assert!(wanted.change(&shards(&[1, 2, 3])));
        assert_eq!(wanted.since(&before), [ShardNo(2), ShardNo(3)]);
        assert_eq!(before.since(&Wanted::default()), [ShardNo(1), ShardNo(2)]);
    }
}
