//! `GET /v1/tenants/{tenant}/replays/{replay}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, answers, operation};
use crate::problem::Problem;
use crate::views;
use railhead_model::JobId;
use railhead_store::directory::Tenant;
use railhead_store::jobs::Replay;
use serde_json::Value;

operation! {
    id: "replays.get",
    path: "/v1/tenants/{tenant}/replays/{replay}",
    tag: "replays",
    summary: "Get a replay and its progress",
    action: Some(Action::DeliveriesRead),
    answers: &[answers(200, "Replay", "The replay.")],
    examples: &[Example::get("A replay", "/v1/tenants/acme/replays/{replay}", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let id = id(&call)?;
    Answer::ok(&find(&call, &tenant, id).await?)
}

/// The id of the path.
///
/// # Errors
/// 404.
pub fn id(call: &Call) -> Result<JobId, Problem> {
    call.param("replay").parse().map_err(|_| Problem::not_found("replay"))
}

/// A replay of this tenant, as JSON.
///
/// # Errors
/// 404.
pub async fn find(call: &Call, tenant: &Tenant, id: JobId) -> Result<Value, Problem> {
    let found = call.state.store.replay(tenant.no, id).await?.ok_or_else(|| Problem::not_found("replay"))?;
    Ok(view(call, &[found]).await?.pop().unwrap_or_default())
}

/// Replays as JSON.
///
/// # Errors
/// The store's.
pub async fn view(call: &Call, replays: &[Replay]) -> Result<Vec<Value>, Problem> {
    let nos: Vec<_> = replays.iter().filter_map(|replay| replay.filter.destination).collect();
    let names = crate::names::of(call.state.store.as_ref(), &nos).await?;
    Ok(replays.iter().map(|replay| views::replay(replay, &names)).collect())
}
