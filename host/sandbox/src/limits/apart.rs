//! Work that takes the host long and that a guest asked for: on threads that yield to others, a few at once, and one for each
//! tenant, so that who asks for much waits for itself.

use crate::platform;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// Whose turn it is: the cores are those of the process, however many sandboxes it has.
static TURNS: LazyLock<Turns> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Turns::new((cores / 2).max(1))
});

/// Does it on a thread of these, and tells the CPU time that it took. None if it panicked, or the threads are gone.
pub(crate) async fn run<T: Send + 'static>(
    threads: &Handle,
    tenant: i64,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<(T, Duration)> {
    TURNS.run(threads, tenant, work).await
}

struct Turns {
    all: Arc<Semaphore>,
    /// Each tenant waits for its own first, so that no more than one of it waits with the others.
    tenants: Mutex<HashMap<i64, Arc<Semaphore>>>,
}

impl Turns {
    fn new(at_once: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(at_once)), tenants: Mutex::default() }
    }

    async fn run<T: Send + 'static>(
        &self,
        threads: &Handle,
        tenant: i64,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<(T, Duration)> {
        let own = self.of(tenant).acquire_owned().await.ok()?;
        let turn = self.all.clone().acquire_owned().await.ok()?;
        let timed = threads.spawn_blocking(move || {
            let before = platform::thread_cpu();
            let done = work();
            // Who asked may be gone: the turn ends with the work.
            drop((turn, own));
            (done, platform::thread_cpu().saturating_sub(before))
        });
        timed.await.ok()
    }

    fn of(&self, tenant: i64) -> Arc<Semaphore> {
        let mut tenants = self.lock();
        if !tenants.contains_key(&tenant) && tenants.len() == tenants.capacity() {
            // It would grow: who waits for nothing goes first.
            tenants.retain(|_, own| Arc::strong_count(own) > 1);
        }
        tenants.entry(tenant).or_insert_with(|| Arc::new(Semaphore::new(1))).clone()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Arc<Semaphore>>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_tenant_that_asks_for_much_waits_for_itself() {
        let (turns, threads) = (Arc::new(Turns::new(2)), Handle::current());
        let (begins, begun) = mpsc::channel();
        let (ends, end) = mpsc::channel::<()>();
        let end = Arc::new(Mutex::new(end));
        let greedy = (0..8).map(|_| {
            let (turns, threads, begins, end) = (turns.clone(), threads.clone(), begins.clone(), end.clone());
            tokio::spawn(async move {
                let work = move || {
                    begins.send(()).unwrap();
                    end.lock().unwrap().recv().unwrap();
                };
                turns.run(&threads, 1, work).await.unwrap();
            })
        });
        let greedy: Vec<_> = greedy.collect();
        tokio::task::block_in_place(|| begun.recv().unwrap());
        // Its first one is under way and does not end: the others of it hold nobody up.
        assert_eq!(turns.run(&threads, 2, || 7).await.map(|(done, _)| done), Some(7));
        assert!(begun.try_recv().is_err(), "one at once");
        for _ in 0..greedy.len() {
            ends.send(()).unwrap();
        }
        for one in greedy {
            one.await.unwrap();
        }
        assert_eq!(turns.all.available_permits(), 2);
        (3..1_000).for_each(|tenant| drop(turns.of(tenant)));
        assert!(turns.lock().len() < 100, "{}", turns.lock().len());
    }

    #[tokio::test]
    async fn what_was_begun_keeps_its_turn_though_nobody_waits_for_it() {
        let (turns, threads) = (Turns::new(1), Handle::current());
        let (ends, end) = mpsc::channel::<()>();
        let (begins, begun) = tokio::sync::oneshot::channel();
        let work = move || {
            begins.send(()).unwrap();
            end.recv().unwrap();
        };
        tokio::select! {
            _ = turns.run(&threads, 1, work) => panic!("it does not end"),
            begun = begun => begun.unwrap(),
        }
        assert_eq!(turns.all.available_permits(), 0);
        ends.send(()).unwrap();
        assert!(turns.run(&threads, 2, || ()).await.is_some());
    }
}
