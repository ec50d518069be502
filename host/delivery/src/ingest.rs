//! Accepting events: route, seal, commit, answer.

mod admission;
mod gather;
mod lane;
mod prepare;
mod rounds;
mod tables;
mod test;

pub(crate) use lane::{AcceptLane, AcceptQueue, new as lane};
pub(crate) use tables::Tables;
pub(crate) use test::test;

use crate::draft::{Draft, Overloaded, Published};
use crate::running::Shared;
use railhead_model::EnvironmentNo;
use rounds::{Open, Sending};
use std::sync::Arc;

/// See [`crate::Delivery::publish`].
#[tracing::instrument(level = "debug", skip_all, fields(environment = %environment, events = drafts.len()))]
pub(crate) async fn publish(
    shared: &Arc<Shared>,
    environment: EnvironmentNo,
    drafts: Vec<Draft>,
) -> Result<Vec<Published>, Overloaded> {
    shared.admit()?;
    let open = drafts.iter().enumerate().map(|(index, draft)| Open::new(index, shared.mint(), draft)).collect();
    all(Sending { shared, environment, only: None }.send(open).await?)
}

/// What is so of all drafts is said once.
fn all(answers: Vec<Published>) -> Result<Vec<Published>, Overloaded> {
    let (mut away, mut over_share) = (None, None);
    for answer in &answers {
        match answer {
            Published::Unavailable(why) => away = Some(Overloaded::Unavailable(why.clone())),
            Published::OverShare { retry_after_s } => {
                over_share = Some(Overloaded::OverShare { retry_after_s: *retry_after_s });
            }
            Published::Accepted { .. } | Published::Duplicate { .. } | Published::Refused(_) => return Ok(answers),
        }
    }
    match (away, over_share) {
        (Some(error), None) | (None, Some(error)) => Err(error),
        _ => Ok(answers),
    }
}
