//! Durable jobs: any host steps them, one transaction at a time.

mod expiry;
mod fanout;
mod replay;
mod retention;

use crate::running::Shared;
use railhead_store::StoreError;
use railhead_store::jobs::Stepped;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Starts every stepper.
pub(crate) fn spawn(shared: &Arc<Shared>, tasks: &mut JoinSet<()>) {
    tasks.spawn(fanout::run(Arc::clone(shared)));
    tasks.spawn(replay::run(Arc::clone(shared)));
    tasks.spawn(expiry::run(Arc::clone(shared)));
    tasks.spawn(retention::run(Arc::clone(shared)));
}

/// Steps until there is nothing to do, then waits for news or the poll, for ever.
async fn steps<F: Future<Output = Result<Stepped, StoreError>>>(
    shared: &Shared,
    name: &'static str,
    news: Option<&Notify>,
    poll_ms: u64,
    mut step: impl FnMut() -> F,
) {
    loop {
        match step().await {
            Ok(Stepped { destinations, rows, more }) => {
                metrics::counter!(crate::measures::JOB_ROWS, "job" => name).increment(rows as u64);
                shared.hint(destinations);
                if more {
                    tokio::task::yield_now().await;
                    continue;
                }
            }
            Err(error) => tracing::warn!(%error, job = name, "a job's step failed; it is tried again"),
        }
        let poll = tokio::time::sleep(Duration::from_millis(poll_ms));
        match news {
            Some(news) => tokio::select! {
                () = news.notified() => {}
                () = poll => {}
            },
            None => poll.await,
        }
    }
}
