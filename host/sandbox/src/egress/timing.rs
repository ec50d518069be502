//! How long each phase took: for people to read; nothing is decided by it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

tokio::task_local! {
    /// Phases of the request that this task is sending: name resolution and connecting find it here.
    pub(super) static PHASES: Arc<Phases>;
}

/// Microseconds of phases that may not happen; 0: it did not.
#[derive(Debug, Default)]
pub(super) struct Phases {
    dns: AtomicU64,
    connect: AtomicU64,
}

impl Phases {
    /// Notes how long the name took.
    pub(super) fn resolved(&self, watch: Stopwatch) {
        self.dns.store(watch.us().max(1), Ordering::Relaxed);
    }

    /// How long the name took.
    pub(super) fn dns_us(&self) -> Option<u64> {
        Some(self.dns.load(Ordering::Relaxed)).filter(|us| *us > 0)
    }

    /// How long the connection took, TLS included and the name not.
    pub(super) fn connect_us(&self) -> Option<u64> {
        let all = Some(self.connect.load(Ordering::Relaxed)).filter(|us| *us > 0)?;
        Some(all.saturating_sub(self.dns_us().unwrap_or(0)))
    }
}

/// The phases of the request that is being sent, where there is one.
pub(super) fn current() -> Option<Arc<Phases>> {
    PHASES.try_with(Arc::clone).ok()
}

/// Measures a span finer than [`railhead_model::Clock`], which counts milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    #[allow(clippy::disallowed_methods)] // a span in microseconds, shown and never acted on
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn elapsed(self) -> std::time::Duration {
        self.0.elapsed()
    }

    pub(super) fn us(self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// Measures how long connecting takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimedConnect;

/// A connector whose connections are measured.
#[derive(Clone, Debug)]
pub(super) struct Timed<S>(S);

impl<S> Layer<S> for TimedConnect {
    type Service = Timed<S>;

    fn layer(&self, inner: S) -> Timed<S> {
        Timed(inner)
    }
}

impl<S, R> Service<R> for Timed<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let watch = Stopwatch::start();
        let phases = current();
        let connecting = self.0.call(request);
        Box::pin(async move {
            let connected = connecting.await;
            if let Some(phases) = phases {
                phases.connect.store(watch.us().max(1), Ordering::Relaxed);
            }
            connected
        })
    }
}
