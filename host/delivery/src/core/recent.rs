//! Deliveries that were read from the store and have ended before their push was heard of.
//!
//! A refill can see a commit before the push that tells of it. Taken then, the push would bring back what has ended.

use railhead_model::DeliveryKey;
use std::collections::{BTreeSet, VecDeque};

/// How many are remembered. A push comes within moments, or never: with a hint from another host there is none. One
/// that was forgotten costs a second attempt, whose record is refused.
const MOST: usize = 10_000;

/// The last ones, each until its push comes.
#[derive(Debug, Default)]
pub(super) struct Recent {
    set: BTreeSet<DeliveryKey>,
    order: VecDeque<DeliveryKey>,
}

impl Recent {
    pub fn add(&mut self, key: DeliveryKey) {
        if !self.set.insert(key) {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
    }

    /// True, once, if it is among them.
    pub fn take(&mut self, key: DeliveryKey) -> bool {
        self.set.remove(&key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use railhead_model::{DestinationNo, EventUid, Timestamp};

    fn key(run: usize) -> DeliveryKey {
        DeliveryKey { event: EventUid::new(Timestamp(1), [0; 10]), destination: DestinationNo(1), run: run as u32 }
    }

    #[test]
    fn each_is_found_once_and_the_oldest_are_forgotten() {
        let mut recent = Recent::default();
        (0..=MOST).for_each(|run| recent.add(key(run)));
        assert!(!recent.take(key(0)), "forgotten");
        assert!(recent.take(key(1)));
        assert!(!recent.take(key(1)));
    }
}
