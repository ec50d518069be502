//! Threads of guests, and of the connections that they open: two sets, of which the system prefers the first.
//!
//! A call begins with the quick ones. Once it turns out to be slow it goes on with its like, where the system gives it
//! what the quick ones leave: guests that burn CPU wait for each other, not others for them.

use crate::call::Running;
use crate::platform;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};
use tokio::task::JoinHandle;

/// Until a call took so long its CPU time is not asked for: what the clock shows is an upper bound of it.
const SHORT: Duration = Duration::from_millis(1);

/// Both sets of threads.
pub(crate) struct Lanes {
    /// `None` only while it is dropped.
    runtimes: Option<(Runtime, Runtime)>,
    quick: Handle,
    slow: Handle,
}

impl Lanes {
    /// Starts so many threads of each kind; 0: as many as the machine has cores.
    ///
    /// # Errors
    /// If the system gives none.
    pub(crate) fn start(threads: usize) -> std::io::Result<Self> {
        let (quick, slow) = (runtime(threads, false)?, runtime(threads, true)?);
        let handles = (quick.handle().clone(), slow.handle().clone());
        Ok(Self { runtimes: Some((quick, slow)), quick: handles.0, slow: handles.1 })
    }

    pub(crate) fn quick(&self) -> &Handle {
        &self.quick
    }

    pub(crate) fn slow(&self) -> &Handle {
        &self.slow
    }

    /// Runs a call; ends with the caller. `None`: a fault of the host, or it is being dropped.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        running: Arc<Running>,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let quick =
            Timed { running, task: Some(Box::pin(task)), stays: false, took: Duration::ZERO, burnt: Duration::ZERO };
        let mut quick = AbortWithCaller(self.quick.spawn(quick));
        match (&mut quick.0).await.ok()? {
            Ok(done) => Some(done),
            Err(rest) => {
                let mut slow = AbortWithCaller(self.slow.spawn(rest));
                (&mut slow.0).await.ok()?.ok()
            }
        }
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        if let Some((quick, slow)) = self.runtimes.take() {
            // a plain drop would block, which async code must not
            quick.shutdown_background();
            slow.shutdown_background();
        }
    }
}

struct AbortWithCaller<T>(JoinHandle<T>);

impl<T> Drop for AbortWithCaller<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Guests that spin must not keep I/O waiting: every poll looks for it.
fn runtime(threads: usize, slow: bool) -> std::io::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if threads > 0 {
        builder.worker_threads(threads);
    }
    if slow {
        builder.on_thread_start(platform::yield_to_others);
    }
    builder.thread_name(if slow { "railhead-slow" } else { "railhead-guest" }).event_interval(1).enable_all().build()
}

/// A call whose CPU time is measured. Among the quick ones only as long as it is quick; then what is left of it comes out.
struct Timed<F> {
    running: Arc<Running>,
    task: Option<Pin<Box<F>>>,
    /// It is with the slow ones already.
    stays: bool,
    took: Duration,
    /// Of the thread: in the first stretch, and since the call took longer than [`SHORT`].
    burnt: Duration,
}

impl<F: Future> Future for Timed<F> {
    type Output = Result<F::Output, Self>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.timed(context);
        if self.burnt + SHORT > self.running.quick_cpu() {
            self.running.burns();
        }
        match polled {
            Some(Poll::Ready(done)) => Poll::Ready(Ok(done)),
            Some(Poll::Pending) if !self.stays && self.running.is_slow() => {
                let (running, task) = (self.running.clone(), self.task.take());
                Poll::Ready(Err(Self { running, task, stays: true, took: self.took, burnt: self.burnt }))
            }
            _ => Poll::Pending,
        }
    }
}

impl<F: Future> Timed<F> {
    #[allow(clippy::disallowed_methods)] // a stop watch: no decision depends on what time it is
    fn timed(&mut self, context: &mut Context<'_>) -> Option<Poll<F::Output>> {
        let task = self.task.as_mut()?;
        // A stretch of the clock may have been the machine's: others had the core. So only CPU time makes a call slow. The
        // first stretch may be all that there is.
        let burnt_before = (self.took > SHORT || self.took.is_zero()).then(platform::thread_cpu);
        let began = std::time::Instant::now();
        let polled = task.as_mut().poll(context);
        self.running.hand_on();
        self.took += began.elapsed();
        if let Some(before) = burnt_before {
            self.burnt += platform::thread_cpu().saturating_sub(before);
        }
        Some(polled)
    }
}
