//! Makes the deliveries of events that match very many destinations.

use crate::running::Shared;
use std::sync::Arc;

pub(crate) async fn run(shared: Arc<Shared>) {
    let step = || shared.store.step_fanout(shared.clock.now());
    super::steps(&shared, "fanout", Some(&shared.fanouts), shared.options.job_poll_ms, step).await;
}
