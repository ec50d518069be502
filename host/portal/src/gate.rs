//! How many pages are made at once: each holds what it shows in memory.

use crate::failure::Failure;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Pages that are made at once.
const AT_ONCE: usize = 4;
/// Pages that are made, or wait for it. A page waits for a few others at most; browsers ask again.
const AT_ALL: usize = 64;

/// Lets a few in at a time; clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate {
    all: Arc<Semaphore>,
    made: Arc<Semaphore>,
}

/// Held while a page is made.
#[derive(Debug)]
pub struct Pass {
    _place: OwnedSemaphorePermit,
    _turn: OwnedSemaphorePermit,
}

impl Default for Gate {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(AT_ALL)), made: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Gate {
    /// Waits for a turn.
    ///
    /// # Errors
    /// Too many wait already.
    pub async fn pass(&self) -> Result<Pass, Failure> {
        let place = Arc::clone(&self.all).try_acquire_owned().map_err(|_| Failure::busy())?;
        let turn = Arc::clone(&self.made).acquire_owned().await.map_err(|_| Failure::busy())?;
        Ok(Pass { _place: place, _turn: turn })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future as _;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    #[tokio::test]
    async fn a_few_pages_are_made_at_once_and_few_wait() {
        let gate = Gate::default();
        let mut inside = Vec::new();
        for _ in 0..AT_ONCE {
            inside.push(gate.pass().await.expect("a turn"));
        }
        let mut context = Context::from_waker(Waker::noop());
        let mut waiting: Vec<_> = (AT_ONCE..AT_ALL).map(|_| Box::pin(gate.pass())).collect();
        assert!(waiting.iter_mut().all(|one| one.as_mut().poll(&mut context).is_pending()));
        let refused = pin!(gate.pass()).poll(&mut context);
        assert!(matches!(refused, Poll::Ready(Err(failure)) if failure.status == 503));
        inside.pop();
        assert!(waiting[0].as_mut().await.is_ok());
    }
}
