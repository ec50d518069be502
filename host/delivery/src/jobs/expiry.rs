//! Ends deliveries that waited as long as events are kept.

use crate::running::Shared;
use std::sync::Arc;

pub(crate) async fn run(shared: Arc<Shared>) {
    let step = || {
        let now = shared.clock.now();
        shared.store.step_expiry(now.plus_ms(-shared.options.retention_ms), now)
    };
    super::steps(&shared, "expiry", None, shared.options.job_poll_ms, step).await;
}
