//! Shards on their way to another host, by consent: nothing starts there any more, what is in flight ends and is
//! recorded, then the shard is released, whatever becomes of the others. What still runs after a while is cut, so that
//! a slow destination keeps no shard from going: no shard is released over something that runs, and none is kept for it.
//!
//! To cut costs a receiver a request that it may have taken and sees again, as when a host dies. To wait for it would
//! cost every other destination of the shard: they stand still meanwhile, and an attempt may take two minutes.

use crate::options::Options;
use railhead_model::ShardNo;
use railhead_store::lease::Owned;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// What runs may go on until then, on the monotonic clock.
    Ending { until_ms: u64 },
    /// What ran is being cut.
    Cut,
    /// Nothing is in flight any more.
    Clear,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Giving(BTreeMap<ShardNo, Stage>);

impl Giving {
    pub fn has(&self, shard: ShardNo) -> bool {
        self.0.contains_key(&shard)
    }

    /// Begins to give away what is beyond the fair share. Answers with the shards that begin.
    pub fn begin(&mut self, owned: &Owned, now_ms: u64, options: &Options) -> Vec<ShardNo> {
        let most = owned.shards.len().saturating_sub(owned.fair).saturating_sub(self.0.len());
        let free = |no: &ShardNo| !self.has(*no);
        let begin: Vec<_> = owned.shards.iter().rev().map(|(no, _)| *no).filter(free).take(most).collect();
        let stage = Stage::Ending { until_ms: now_ms + options.give_wait_ms };
        self.0.extend(begin.iter().map(|no| (*no, stage)));
        begin
    }

    /// When the next is overdue.
    pub fn next_ms(&self) -> Option<u64> {
        let until = |stage: &Stage| if let Stage::Ending { until_ms } = stage { Some(*until_ms) } else { None };
        self.0.values().filter_map(until).min()
    }

    /// Those whose time is over: what runs there is to be cut, once.
    pub fn overdue(&mut self, now_ms: u64) -> Vec<ShardNo> {
        let is_late = |stage: &Stage| matches!(stage, Stage::Ending { until_ms } if *until_ms <= now_ms);
        let late = self.0.iter_mut().filter(|(_, stage)| is_late(stage));
        late.map(|(no, stage)| {
            *stage = Stage::Cut;
            *no
        })
        .collect()
    }

    /// Nothing of the shard is in flight any more.
    pub fn cleared(&mut self, shard: ShardNo) {
        if let Some(stage) = self.0.get_mut(&shard) {
            *stage = Stage::Clear;
        }
    }

    /// Those that can be released.
    pub fn clear(&self) -> Vec<ShardNo> {
        self.0.iter().filter(|(_, stage)| **stage == Stage::Clear).map(|(no, _)| *no).collect()
    }

    /// They are released.
    pub fn released(&mut self, shards: &[ShardNo]) {
        shards.iter().for_each(|no| _ = self.0.remove(no));
    }

    /// Forgets what is not owned any more: a release was done, and its answer lost.
    pub fn keep(&mut self, owned: &BTreeSet<ShardNo>) {
        self.0.retain(|no, _| owned.contains(no));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(count: u8, fair: usize) -> Owned {
        Owned { shards: (0..count).map(|no| (ShardNo(no), 1)).collect(), fair, ..Owned::default() }
    }

    #[test]
    fn the_highest_go_and_no_more_than_the_surplus() {
        let (mut giving, options) = (Giving::default(), Options::default());
        assert_eq!(giving.begin(&owned(4, 4), 0, &options), []);
        assert_eq!(giving.begin(&owned(4, 2), 0, &options), [ShardNo(3), ShardNo(2)]);
        assert_eq!(giving.begin(&owned(4, 2), 1, &options), [], "on their way already");
        assert_eq!(giving.clear(), []);
        giving.cleared(ShardNo(3));
        assert_eq!(giving.clear(), [ShardNo(3)], "each as soon as it is clear");
        giving.released(&[ShardNo(3)]);
        assert!(giving.has(ShardNo(2)) && !giving.has(ShardNo(3)));
        giving.keep(&[ShardNo(0), ShardNo(1)].into());
        assert!(!giving.has(ShardNo(2)), "not owned any more");
    }

    #[test]
    fn what_does_not_come_to_rest_in_time_is_cut_once_and_still_not_released_over_what_runs() {
        let (mut giving, options) = (Giving::default(), Options::default());
        assert_eq!(giving.next_ms(), None);
        giving.begin(&owned(4, 3), 0, &options);
        giving.begin(&owned(4, 2), 1_000, &options);
        assert_eq!(giving.next_ms(), Some(options.give_wait_ms));
        assert_eq!(giving.overdue(options.give_wait_ms - 1), []);
        assert_eq!(giving.overdue(options.give_wait_ms), [ShardNo(3)]);
        assert_eq!(giving.overdue(options.give_wait_ms), [], "once");
        assert_eq!(giving.next_ms(), Some(options.give_wait_ms + 1_000), "each has its own time");
        assert_eq!(giving.clear(), []);
        giving.cleared(ShardNo(2));
        assert_eq!(giving.overdue(options.give_wait_ms + 1_000), [], "it came to rest");
        giving.cleared(ShardNo(3));
        assert_eq!(giving.clear(), [ShardNo(2), ShardNo(3)]);
    }
}
