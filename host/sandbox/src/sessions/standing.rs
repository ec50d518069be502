//! Which destinations have shown to be quick.
//!
//! A destination begins with the slow ones, and goes on with the quick ones once it showed that it is one. So new guests
//! that burn CPU hold up each other, however many begin at once, and not those that are known.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Quick calls in a row that a new destination has to show.
const AT_FIRST: u16 = 3;
/// And one that was slow again and again: each time twice as many as before.
const AT_MOST: u16 = 3_072;
/// A destination that nobody called for so long is new again.
const KEPT_MS: u64 = 3_600_000;
/// Destinations that are remembered; others stay new.
const MAX_KEPT: usize = 200_000;

/// What is known of each destination.
#[derive(Debug, Default)]
pub(super) struct Standings(Mutex<HashMap<i64, Standing>>);

#[derive(Clone, Copy, Debug)]
struct Standing {
    /// In a row, so far.
    quick: u16,
    wanted: u16,
    noted_ms: u64,
}

impl Standings {
    /// True if its calls run with the quick ones.
    pub fn is_quick(&self, destination: i64) -> bool {
        self.all().get(&destination).is_some_and(|standing| standing.quick >= standing.wanted)
    }

    /// After a call that was quick, or was not: it trapped, was stopped, or used more than a quick one does.
    pub fn note(&self, destination: i64, quick: bool, now_ms: u64) {
        let mut all = self.all();
        if all.len() >= MAX_KEPT && !all.contains_key(&destination) {
            return;
        }
        let new = Standing { quick: 0, wanted: AT_FIRST, noted_ms: now_ms };
        let standing = all.entry(destination).or_insert(new);
        standing.noted_ms = now_ms;
        if quick {
            standing.quick = standing.quick.saturating_add(1);
        } else {
            // One that never was among the quick ones took nothing from them.
            if standing.quick >= standing.wanted {
                standing.wanted = standing.wanted.saturating_mul(2).min(AT_MOST);
            }
            standing.quick = 0;
        }
    }

    /// Forgets those that nobody called for long.
    pub fn sweep(&self, now_ms: u64) {
        self.all().retain(|_, standing| now_ms.saturating_sub(standing.noted_ms) < KEPT_MS);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<i64, Standing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls_until_quick(standings: &Standings) -> usize {
        (0..10_000)
            .find(|_| {
                standings.is_quick(1) || {
                    standings.note(1, true, 0);
                    false
                }
            })
            .unwrap()
    }

    #[test]
    fn a_destination_shows_that_it_is_quick() {
        let standings = Standings::default();
        assert_eq!(calls_until_quick(&standings), 3);
        assert!(!standings.is_quick(2), "each for itself");
    }

    #[test]
    fn one_that_is_slow_again_and_again_takes_longer_each_time() {
        let standings = Standings::default();
        calls_until_quick(&standings);
        let each = [6, 12, 24].map(|_| {
            standings.note(1, false, 0);
            calls_until_quick(&standings)
        });
        assert_eq!(each, [6, 12, 24]);
        for _ in 0..20 {
            standings.note(1, false, 0);
            calls_until_quick(&standings);
        }
        standings.note(1, false, 0);
        assert_eq!(calls_until_quick(&standings), 3_072, "not for ever");
    }

    #[test]
    fn a_row_is_broken_by_a_slow_call() {
        let standings = Standings::default();
        for quick in [true, true, false, true, true] {
            standings.note(1, quick, 0);
        }
        assert!(!standings.is_quick(1));
        standings.note(1, true, 0);
        assert!(standings.is_quick(1));
    }

    #[test]
    fn who_is_not_called_for_long_is_new_again() {
        let standings = Standings::default();
        calls_until_quick(&standings);
        standings.note(1, true, 1_000);
        standings.sweep(KEPT_MS + 999);
        assert!(standings.is_quick(1));
        standings.sweep(KEPT_MS + 1_000);
        assert!(!standings.is_quick(1));
    }
}
