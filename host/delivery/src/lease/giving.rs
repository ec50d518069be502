//! Shards on their way to another host, by consent: nothing starts there any more, what is in flight ends and is
//! recorded, then the shard is released. One that does not come to rest in time is kept, and tried again later.

use crate::options::Options;
use railhead_model::ShardNo;
use railhead_store::lease::Owned;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug)]
struct One {
    /// Tells one try from another.
    round: u64,
    until_ms: u64,
    clear: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Giving {
    shards: BTreeMap<ShardNo, One>,
    /// Those that did not come to rest, and until when they are left alone.
    kept: BTreeMap<ShardNo, u64>,
    rounds: u64,
}

impl Giving {
    pub fn has(&self, shard: ShardNo) -> bool {
        self.shards.contains_key(&shard)
    }

    /// Begins to give away what is beyond the fair share. Answers with the shards that begin, and their round.
    pub fn begin(&mut self, owned: &Owned, now_ms: u64, options: &Options) -> Vec<(ShardNo, u64)> {
        self.kept.retain(|_, until_ms| *until_ms > now_ms);
        let most = owned.shards.len().saturating_sub(owned.fair).saturating_sub(self.shards.len());
        let free = |no: &ShardNo| !self.shards.contains_key(no) && !self.kept.contains_key(no);
        let begin: Vec<_> = owned.shards.iter().rev().map(|(no, _)| *no).filter(free).take(most).collect();
        self.rounds += 1;
        let one = One { round: self.rounds, until_ms: now_ms + options.give_wait_ms, clear: false };
        self.shards.extend(begin.iter().map(|no| (*no, one)));
        begin.into_iter().map(|no| (no, self.rounds)).collect()
    }

    /// Nothing of the shard is in flight any more.
    pub fn cleared(&mut self, shard: ShardNo, round: u64) {
        if let Some(one) = self.shards.get_mut(&shard).filter(|one| one.round == round) {
            one.clear = true;
        }
    }

    /// Those that can be released.
    pub fn clear(&self) -> Vec<ShardNo> {
        self.shards.iter().filter(|(_, one)| one.clear).map(|(no, _)| *no).collect()
    }

    /// They are released.
    pub fn released(&mut self, shards: &[ShardNo]) {
        shards.iter().for_each(|no| _ = self.shards.remove(no));
    }

    /// Forgets what is not owned any more, and gives up on what did not come to rest. Answers with how many those are.
    pub fn give_up(&mut self, owned: &BTreeSet<ShardNo>, now_ms: u64, options: &Options) -> usize {
        self.shards.retain(|no, _| owned.contains(no));
        let late: Vec<_> =
            self.shards.iter().filter(|(_, one)| !one.clear && one.until_ms <= now_ms).map(|(no, _)| *no).collect();
        self.released(&late);
        self.kept.extend(late.iter().map(|no| (*no, now_ms + options.give_again_ms)));
        late.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(count: u8, fair: usize) -> Owned {
        Owned { shards: (0..count).map(|no| (ShardNo(no), 1)).collect(), fair, ..Owned::default() }
    }

    fn numbers(begun: &[(ShardNo, u64)]) -> Vec<u8> {
        begun.iter().map(|(no, _)| no.0).collect()
    }

    #[test]
    fn the_highest_go_and_no_more_than_the_surplus() {
        let (mut giving, options) = (Giving::default(), Options::default());
        assert_eq!(giving.begin(&owned(4, 4), 0, &options), []);
        let begun = giving.begin(&owned(4, 2), 0, &options);
        assert_eq!(numbers(&begun), [3, 2]);
        assert_eq!(giving.begin(&owned(4, 2), 1, &options), [], "on their way already");
        assert_eq!(giving.clear(), []);
        giving.cleared(ShardNo(3), begun[0].1);
        assert_eq!(giving.clear(), [ShardNo(3)]);
        giving.released(&[ShardNo(3)]);
        assert!(giving.has(ShardNo(2)) && !giving.has(ShardNo(3)));
    }

    #[test]
    fn one_that_does_not_come_to_rest_is_kept_and_another_goes_instead() {
        let (mut giving, options) = (Giving::default(), Options::default());
        let first = giving.begin(&owned(4, 3), 0, &options);
        let all: BTreeSet<_> = (0..4).map(ShardNo).collect();
        assert_eq!(giving.give_up(&all, options.give_wait_ms - 1, &options), 0);
        assert_eq!(giving.give_up(&all, options.give_wait_ms, &options), 1);
        let now = options.give_wait_ms;
        assert_eq!(numbers(&giving.begin(&owned(4, 3), now, &options)), [2]);
        giving.cleared(ShardNo(3), first[0].1);
        assert_eq!(giving.clear(), [], "too late");
        giving.released(&[ShardNo(2)]);
        let later = now + options.give_again_ms;
        let again = giving.begin(&owned(4, 3), later, &options);
        assert_eq!(numbers(&again), [3]);
        giving.cleared(ShardNo(3), first[0].1);
        assert_eq!(giving.clear(), [], "news of the first try");
        giving.cleared(ShardNo(3), again[0].1);
        assert_eq!(giving.give_up(&all, later + options.give_wait_ms, &options), 0, "it came to rest");
        giving.give_up(&BTreeSet::new(), later, &options);
        assert!(!giving.has(ShardNo(3)), "not owned any more");
    }
}
