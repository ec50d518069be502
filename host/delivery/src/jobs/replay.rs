//! Makes the deliveries of replays; each replay has a bounded number of them open at once.

use crate::running::Shared;
use std::sync::Arc;

pub(crate) async fn run(shared: Arc<Shared>) {
    let step = || shared.store.step_replay(shared.clock.now());
    super::steps(&shared, "replay", Some(&shared.jobs), shared.options.job_poll_ms, step).await;
}
