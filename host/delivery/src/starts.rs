//! Puts starts of suspects on record: those that wait together, in one statement.

use crate::core::{AttemptId, Input};
use crate::driver::until_done;
use crate::running::Shared;
use railhead_model::DeliveryKey;
use railhead_store::Started;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Hand-overs whose starts go in one statement.
const AT_ONCE: usize = 64;

/// A hand-over whose start is to be on record before it is sent.
pub(crate) struct Start {
    pub id: AttemptId,
    pub deliveries: Vec<DeliveryKey>,
    pub alone: bool,
}

/// One statement at a time, until the driver is gone.
pub(crate) async fn run(shared: Arc<Shared>, mut begun: mpsc::UnboundedReceiver<Start>) {
    let mut came = Vec::new();
    while begun.recv_many(&mut came, AT_ONCE).await > 0 {
        // One that is to run alone comes when nothing else does.
        let (alone, beside): (Vec<_>, Vec<_>) = came.drain(..).partition(|start| start.alone);
        put(&shared, &beside, false).await;
        put(&shared, &alone, true).await;
    }
}

async fn put(shared: &Shared, starts: &[Start], alone: bool) {
    let deliveries: Vec<_> = starts.iter().flat_map(|start| start.deliveries.iter().copied()).collect();
    if deliveries.is_empty() {
        return;
    }
    let answers = until_done(shared, || shared.store.start(shared.host, &deliveries, alone)).await;
    // One whose start cannot be recorded is read again, and tried again later.
    let answers = answers.unwrap_or_else(|| vec![Started::Gone; deliveries.len()]);
    let mut answers = answers.into_iter();
    for start in starts {
        let answers = answers.by_ref().take(start.deliveries.len()).collect();
        shared.input(Input::Started { attempt: start.id, answers });
    }
}

/// Takes starts back, of which nothing will be on record.
pub(crate) async fn take_back(shared: Arc<Shared>, attempt: AttemptId, deliveries: Vec<DeliveryKey>) {
    // What cannot be taken back counts as if this host had died: once.
    until_done(&shared, || shared.store.unstart(shared.host, &deliveries)).await;
    shared.input(Input::Unstarted(attempt));
}
