//! How a host learns of work: from others by hints, and from the survey, which looks at every owned destination now and
//! then, so that nothing is ever forgotten.
//!
//! Pushes and hints are only speed. What another host accepted, what a lost hint told of, what a clock brought due: all
//! of it is found by the survey.

mod hears;
mod outbox;

pub(crate) use hears::listen;
pub(crate) use outbox::{Outbox, speak};

use crate::core::Input;
use crate::running::Shared;
use std::sync::Arc;
use std::time::Duration;

/// Destinations surveyed by one query at most.
const SLICE: usize = 1_000;

/// Surveys slice after slice; once around takes the survey period, or longer for very many destinations. Once around
/// without a pause where anything may have changed.
pub(crate) async fn survey(shared: Arc<Shared>) {
    let mut after = None;
    let mut hurried = 0;
    loop {
        let fleet = shared.fleet.len();
        metrics::gauge!(crate::measures::DESTINATIONS).set(fleet as f64);
        let per_s = shared.options.survey_per_s.max(1) as usize;
        let period_ms = shared.options.survey_ms.max((fleet * 1_000 / per_s) as u64);
        let slices = fleet.div_ceil(SLICE).max(1);
        if hurried > 0 {
            hurried -= 1;
        } else {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(period_ms / slices as u64)) => {}
                () = shared.anything.notified() => hurried = slices,
            }
        }
        let slice = shared.fleet.page(after, SLICE);
        after = if slice.len() < SLICE { None } else { slice.last().copied() };
        if slice.is_empty() {
            continue;
        }
        match shared.store.survey(&slice).await {
            Ok(due) => shared.input(Input::Surveyed(due)),
            Err(error) => tracing::warn!(%error, "the survey cannot be read now"),
        }
    }
}
