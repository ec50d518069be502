//! The clocks of a simulated host: a wall clock that is off, and a monotonic one of its own origin that drifts.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Walls of two hosts are at most twice this apart, and each from the database's, in milliseconds.
pub const MAX_SKEW_MS: i64 = 5_000;
/// How much faster or slower than the true time a monotonic clock runs, in millionths.
const MAX_DRIFT_PPM: i64 = 5_000;
/// Between walls that are further apart than this, skew is counted as met, in milliseconds.
pub const FAR_MS: i64 = 5_000;

#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// Milliseconds that the wall clock is ahead.
    pub skew: i64,
    origin: u64,
    ppm: i64,
}

impl Clock {
    /// Some seeds have clocks that are right, so that other faults come alone.
    pub fn any(random: &mut ChaCha8Rng, are_off: bool) -> Self {
        let origin = random.random_range(0..1_000_000_000);
        let (skew, ppm) =
            (random.random_range(-MAX_SKEW_MS..=MAX_SKEW_MS), random.random_range(-MAX_DRIFT_PPM..=MAX_DRIFT_PPM));
        if are_off { Self { skew, origin, ppm } } else { Self { skew: 0, origin, ppm: 0 } }
    }

    /// What the monotonic clock shows at this true time.
    pub fn mono(&self, now: u64) -> u64 {
        let drift = i64::try_from(now).unwrap_or(0) * self.ppm / 1_000_000;
        (self.origin + now).saturating_add_signed(drift)
    }

    /// True milliseconds until the monotonic clock shows `at`.
    pub fn wait(&self, now: u64, at: u64) -> u64 {
        let left = at.saturating_sub(self.mono(now));
        let fast = u64::try_from(1_000_000 + self.ppm).unwrap_or(1_000_000);
        let mut wait = left * 1_000_000 / fast;
        while self.mono(now + wait) < at {
            wait += 1;
        }
        wait
    }

    pub fn drifts(&self) -> bool {
        self.ppm.abs() > MAX_DRIFT_PPM / 2
    }
}
