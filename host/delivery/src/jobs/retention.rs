//! Deletes what is older than events are kept, after its waiting deliveries expired.

use crate::running::Shared;
use railhead_model::time::DAY_MS;
use std::sync::Arc;

pub(crate) async fn run(shared: Arc<Shared>) {
    // An hour later than the expiry, so that an event goes only after its deliveries ended.
    let kept_ms = shared.options.retention_ms.saturating_add(DAY_MS / 24);
    let step = || shared.store.step_retention(shared.clock.now().plus_ms(-kept_ms));
    super::steps(&shared, "retention", None, shared.options.retention_poll_ms, step).await;
}
