//! Uids in the order in which they were made, also within one millisecond.

use railhead_model::{EventUid, Timestamp};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bits of a counter in front of the random ones (RFC 9562, 6.2, method 1).
const COUNTER: u32 = 12;
/// A millisecond's counter begins below this, so that there is room above.
const FIRST: u64 = 1 << 10;
/// A clock that is set back by no more than this does not change the order.
const BACK_MS: u64 = 1_000;

/// Makes uids of one host, each greater than the one before.
#[derive(Debug, Default)]
pub(crate) struct Mint {
    /// Milliseconds and counter of the last one.
    last: AtomicU64,
}

impl Mint {
    /// A uid of now, or of the next millisecond where this one is used up.
    pub fn uid(&self, now: Timestamp, mut random: [u8; 10]) -> EventUid {
        let now_ms = u64::try_from(now.0).unwrap_or(0);
        let fresh = (now_ms << COUNTER) | (u64::from(u16::from_be_bytes([random[2], random[3]])) % FIRST);
        let next = |last: u64| {
            let follows = (last >> COUNTER) >= now_ms && (last >> COUNTER) - now_ms <= BACK_MS;
            if follows { last + 1 } else { fresh }
        };
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        let taken = next(last.unwrap_or_else(|last| last));
        let [high, low] = ((taken & ((1 << COUNTER) - 1)) as u16).to_be_bytes();
        (random[0], random[1]) = (high, low);
        EventUid::new(Timestamp(i64::try_from(taken >> COUNTER).unwrap_or(now.0)), random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_of_one_millisecond_keep_their_order_whatever_the_random_bits() {
        let mint = Mint::default();
        let now = Timestamp(1_700_000_000_000);
        let uids: Vec<_> = (0..10_000).map(|n: u32| mint.uid(now, [(n % 251) as u8; 10])).collect();
        assert!(uids.is_sorted_by(|a, b| a < b));
        assert_eq!(uids.first().map(|uid| uid.at()), Some(now));
        assert_eq!(uids.last().map(|uid| uid.at().0 - now.0), Some(2), "4,096 a millisecond");
    }

    #[test]
    fn a_clock_that_steps_back_a_little_changes_no_order_and_a_wrong_one_is_followed() {
        let mint = Mint::default();
        let first = mint.uid(Timestamp(1_700_000_000_000), [9; 10]);
        let second = mint.uid(Timestamp(1_699_999_999_500), [1; 10]);
        assert!(second > first);
        let corrected = mint.uid(Timestamp(1_600_000_000_000), [1; 10]);
        assert_eq!(corrected.at(), Timestamp(1_600_000_000_000));
        assert!(mint.uid(Timestamp(1_600_000_000_001), [0; 10]) > corrected);
    }
}
