//! What a [`RetryPolicy`] yields: pure, and resumable at any attempt.

use crate::destination::{Exponential, Jitter, RetryPolicy, Schedule};
use crate::time::Timestamp;

/// No retry comes sooner than this, whatever a policy or a destination says.
pub const MIN_DELAY_MS: u64 = 1_000;

/// 5 s, 30 s, 2 min, 10 min, 30 min, 1 h, 2 h, 4 h, 8 h, 8 h: 11 attempts in 24 h.
pub const DEFAULT_SCHEDULE_MS: [u64; 10] =
    [5_000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000, 28_800_000, 28_800_000];

/// Longest single delay that a policy may name: 7 days.
pub const MAX_DELAY_MS: u64 = 7 * 24 * 3_600_000;

/// Most entries of a schedule.
pub const MAX_SCHEDULE: usize = 100;

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::Schedule(Schedule { schedule_ms: DEFAULT_SCHEDULE_MS.to_vec() })
    }
}

impl RetryPolicy {
    /// The delay after the `attempts`-th attempt failed (1 for the first), before jitter; `None`: no more attempts.
    #[must_use]
    pub fn delay_ms(&self, attempts: u32) -> Option<u64> {
        let index = attempts.checked_sub(1)?;
        match self {
            Self::Schedule(Schedule { schedule_ms }) => {
                schedule_ms.get(usize::try_from(index).ok()?).map(|ms| (*ms).max(MIN_DELAY_MS))
            }
            Self::Exponential(Exponential { initial_ms, factor, max_ms, .. }) => {
                let grown = *initial_ms as f64 * factor.powi(i32::try_from(index).unwrap_or(i32::MAX));
                // A float above u64::MAX, or infinite, saturates.
                Some((grown as u64).min(*max_ms).max(MIN_DELAY_MS))
            }
        }
    }

    /// How long after its first attempt a delivery may still be tried, in milliseconds.
    ///
    /// Outcomes that cost no attempt (throttled, misconfigured) are bounded by this span.
    #[must_use]
    pub fn window_ms(&self) -> u64 {
        match self {
            Self::Schedule(Schedule { schedule_ms }) => {
                schedule_ms.iter().fold(0, |sum: u64, ms| sum.saturating_add((*ms).max(MIN_DELAY_MS)))
            }
            Self::Exponential(Exponential { window_ms, .. }) => *window_ms,
        }
    }

    /// When to try again after the `attempts`-th attempt failed at `now`; `None`: give up.
    ///
    /// `since` is the start of the first attempt. `random` is uniform in [0, 1). `retry_after_ms` is the
    /// destination's own wish and wins over the schedule, capped at an hour.
    #[must_use]
    pub fn next(
        &self,
        jitter: Jitter,
        attempts: u32,
        since: Timestamp,
        now: Timestamp,
        random: f64,
        retry_after_ms: Option<u64>,
    ) -> Option<Timestamp> {
        let base = self.delay_ms(attempts)?;
        let delay = match retry_after_ms {
            Some(wish) => wish.clamp(MIN_DELAY_MS, MAX_RETRY_AFTER_MS),
            None => jitter.apply(base, random).max(MIN_DELAY_MS),
        };
        let at = now.plus_ms(i64::try_from(delay).unwrap_or(i64::MAX));
        if let Self::Exponential(Exponential { window_ms, .. }) = self
            && u64::try_from(at.since(since)).unwrap_or(0) > *window_ms
        {
            return None;
        }
        Some(at)
    }
}

/// A destination's retry-after counts up to an hour.
pub const MAX_RETRY_AFTER_MS: u64 = 3_600_000;

impl Jitter {
    /// Scatters a delay; `random` is uniform in [0, 1).
    #[must_use]
    pub fn apply(self, delay_ms: u64, random: f64) -> u64 {
        let scaled = |share: f64| (delay_ms as f64 * share) as u64;
        match self {
            Self::None => delay_ms,
            Self::Equal => delay_ms / 2 + scaled(random / 2.0),
            Self::Full => scaled(random),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exponential(initial_ms: u64, factor: f64, max_ms: u64, window_ms: u64) -> RetryPolicy {
        RetryPolicy::Exponential(Exponential { initial_ms, factor, max_ms, window_ms })
    }

    #[test]
    fn the_default_is_eleven_attempts_in_a_day() {
        let policy = RetryPolicy::default();
        let delays: Vec<_> = (1..).map_while(|n| policy.delay_ms(n)).collect();
        assert_eq!(delays.len() + 1, 11);
        assert_eq!(policy.window_ms(), 85_355_000); // 23 h 42 min at most, half of it with the least jitter
    }

    #[test]
    fn growth_saturates() {
        let policy = exponential(1_000, 10.0, 60_000, u64::MAX);
        assert_eq!(policy.delay_ms(1), Some(1_000));
        assert_eq!(policy.delay_ms(2), Some(10_000));
        assert_eq!(policy.delay_ms(3), Some(60_000));
        assert_eq!(policy.delay_ms(u32::MAX), Some(60_000));
    }

    #[test]
    fn it_resumes_at_any_attempt_and_ends_with_its_window() {
        let policy = exponential(5_000, 2.0, 60_000, 100_000);
        let next = |attempts, now| policy.next(Jitter::None, attempts, Timestamp(0), Timestamp(now), 0.0, None);
        assert_eq!(next(3, 35_000), Some(Timestamp(55_000)));
        assert_eq!(next(4, 95_000), None);
    }

    #[test]
    fn the_destinations_own_wish_wins_within_an_hour_and_not_under_a_second() {
        let next = |wish| RetryPolicy::default().next(Jitter::None, 1, Timestamp(0), Timestamp(0), 0.0, Some(wish));
        assert_eq!(next(0), Some(Timestamp(1_000)));
        assert_eq!(next(90_000), Some(Timestamp(90_000)));
        assert_eq!(next(u64::MAX), Some(Timestamp(3_600_000)));
    }

    #[test]
    fn jitter_stays_in_its_bounds() {
        assert_eq!(Jitter::Equal.apply(10_000, 0.0), 5_000);
        assert!(Jitter::Equal.apply(10_000, 0.999_999) < 10_000);
        assert_eq!(Jitter::Full.apply(10_000, 0.0), 0);
        assert_eq!(Jitter::None.apply(10_000, 0.7), 10_000);
    }
}
