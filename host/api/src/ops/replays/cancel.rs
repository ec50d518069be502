//! `DELETE /v1/tenants/{tenant}/replays/{replay}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::codes;
use crate::operation::{Example, Verb, answers, operation};
use crate::problem::Problem;
use railhead_store::jobs::JobState;

operation! {
    id: "replays.cancel",
    verb: Verb::Delete,
    path: "/v1/tenants/{tenant}/replays/{replay}",
    tag: "replays",
    summary: "Cancel a replay",
    about: "It makes no more deliveries; what it made goes on. Cancelling twice changes nothing.",
    action: Some(Action::DeliveriesWrite),
    answers: &[answers(200, "Replay", "As it stands now.")],
    examples: &[Example::get("One that completed", "/v1/tenants/acme/replays/{replay}", 409)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let id = super::get::id(&call)?;
    let missing = || Problem::not_found("replay");
    let found = call.state.store.replay(tenant.no, id).await?.ok_or_else(missing)?;
    if found.state == JobState::Completed {
        return Err(Problem::new(&codes::NOT_RUNNING, "The replay has completed."));
    }
    call.state.store.cancel_replay(tenant.no, id, call.state.now()).await?;
    call.state.delivery.jobs_changed();
    Answer::ok(&super::get::find(&call, &tenant, id).await?)
}
