//! A destination's rate limit: a token bucket.

use railhead_model::RateLimit;

/// Tokens as of a moment. May go below zero where a stable batch, which cannot be split, took more than there was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    per_ms: f64,
    burst: f64,
    tokens: f64,
    at: u64,
}

impl Bucket {
    pub fn new(limit: RateLimit, now: u64) -> Self {
        let burst = f64::from(limit.burst.max(1));
        // A rate that is not above zero cannot be configured; the floor only keeps the arithmetic finite.
        Self { per_ms: limit.per_second.max(1e-6) / 1000.0, burst, tokens: burst, at: now }
    }

    /// Whole tokens at `now`.
    pub fn available(&self, now: u64) -> u32 {
        (self.level(now) + 1e-9).max(0.0) as u32
    }

    /// When there is a token, in milliseconds on the same clock.
    pub fn ready_at(&self, now: u64) -> u64 {
        let missing = 1.0 - self.level(now);
        now + (missing / self.per_ms).ceil().max(0.0) as u64
    }

    pub fn take(&mut self, now: u64, count: u32) {
        self.tokens = self.level(now) - f64::from(count);
        self.at = now;
    }

    fn level(&self, now: u64) -> f64 {
        (self.tokens + now.saturating_sub(self.at) as f64 * self.per_ms).min(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_at_the_rate_up_to_the_burst() {
        let mut bucket = Bucket::new(RateLimit { per_second: 10.0, burst: 5 }, 0);
        assert_eq!(bucket.available(0), 5);
        bucket.take(0, 5);
        assert_eq!(bucket.available(99), 0);
        assert_eq!(bucket.ready_at(0), 100);
        assert_eq!(bucket.available(100), 1);
        assert_eq!(bucket.available(60_000), 5);
        bucket.take(60_000, 7);
        assert_eq!(bucket.available(60_200), 0);
        assert_eq!(bucket.ready_at(60_200), 60_300);
    }
}
