//! Slow calls, and peers that let requests wait, get their connections on threads apart.
//!
//! The HTTP library reads interim answers (1xx) for as long as they come without a pause, and gives no bound for it. A peer
//! that floods a request with them holds the thread that its connection lives on. It can do so to others once: from then
//! on its connections live where only its like wait for it.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Mutex, OnceLock, PoisonError};
use tokio::runtime::Handle;

/// A head that takes longer than this sets a destination apart, as one that never comes does; in microseconds.
const SLOW_US: u64 = 1_000_000;
/// For so long after the last time.
const APART_MS: u64 = 600_000;
/// Destinations that are remembered.
const MAX_APART: usize = 10_000;

/// Which destinations are apart, and where.
#[derive(Debug, Default)]
pub(super) struct Aside {
    threads: OnceLock<Handle>,
    until: Mutex<HashMap<i64, u64>>,
}

impl Aside {
    /// The threads, once there are some; the first ones count.
    pub(super) fn set(&self, threads: Handle) {
        let _ = self.threads.set(threads);
    }

    /// The threads, for a request of a slow call, or of a destination that is apart now.
    pub(super) fn threads(&self, destination: i64, slow: bool, now_ms: u64) -> Option<&Handle> {
        let threads = self.threads.get()?;
        if slow {
            return Some(threads);
        }
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.get(&destination).is_some_and(|until| now_ms < *until).then_some(threads)
    }

    /// After an exchange: `head_us` until its head came; `None`: it did not come in time.
    pub(super) fn note(&self, destination: i64, head_us: Option<u64>, now_ms: u64) {
        if head_us.is_some_and(|us| us <= SLOW_US) {
            return;
        }
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.len() >= MAX_APART {
            until.retain(|_, until| now_ms < *until);
        }
        if until.len() < MAX_APART || until.contains_key(&destination) {
            until.insert(destination, now_ms.saturating_add(APART_MS));
        }
    }
}

/// Runs a future here, but what it starts on those threads.
pub(super) async fn starting_on<F: Future>(threads: Option<&Handle>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        let _entered = threads.map(Handle::enter);
        future.as_mut().poll(context)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_lets_requests_wait_is_apart_for_a_while() {
        let aside = Aside::default();
        aside.set(Handle::current());
        let is_apart = |destination, now_ms| aside.threads(destination, false, now_ms).is_some();
        aside.note(1, Some(SLOW_US), 0);
        assert!(!is_apart(1, 0), "quick enough");
        aside.note(1, None, 5);
        aside.note(1, Some(SLOW_US + 1), 6);
        assert!(is_apart(1, APART_MS) && !is_apart(2, APART_MS));
        assert!(!is_apart(1, 6 + APART_MS), "not for ever");
        aside.note(1, None, 6 + APART_MS);
        assert!(is_apart(1, 6 + APART_MS), "and again");
    }

    #[test]
    fn what_a_future_starts_runs_there() {
        let here = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let there =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("apart").build().expect("one");
        let name = async { tokio::spawn(async { std::thread::current().name().map(str::to_owned) }).await };
        let ran_on = here.block_on(starting_on(Some(there.handle()), name)).expect("it ends");
        assert_eq!(ran_on.as_deref(), Some("apart"));
    }
}
