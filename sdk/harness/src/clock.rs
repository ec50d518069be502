//! A clock that a test sets.

use railhead_model::{Clock, SystemClock, Timestamp};
use std::sync::atomic::{AtomicI64, Ordering};

/// The machine's clock, until it is moved or stopped. Deadlines go by the machine's clock whatever it shows.
#[derive(Debug)]
pub struct TestClock {
    system: SystemClock,
    /// Milliseconds that the wall clock is ahead.
    ahead_ms: AtomicI64,
    /// Where the wall clock stands; 0: it goes.
    stands_at: AtomicI64,
}

impl Default for TestClock {
    fn default() -> Self {
        Self { system: SystemClock::new(), ahead_ms: AtomicI64::new(0), stands_at: AtomicI64::new(0) }
    }
}

impl TestClock {
    /// Puts the wall clock so many milliseconds ahead of the machine's; negative: behind.
    pub fn put_ahead(&self, ms: i64) {
        self.ahead_ms.store(ms, Ordering::Relaxed);
    }

    /// Stops the wall clock at a time.
    pub fn stop_at(&self, at: Timestamp) {
        self.stands_at.store(at.0, Ordering::Relaxed);
    }

    /// Lets the wall clock go again.
    pub fn go(&self) {
        self.stands_at.store(0, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        match self.stands_at.load(Ordering::Relaxed) {
            0 => Timestamp(self.system.now().0.saturating_add(self.ahead_ms.load(Ordering::Relaxed))),
            at => Timestamp(at),
        }
    }

    fn monotonic_ms(&self) -> u64 {
        self.system.monotonic_ms()
    }
}
