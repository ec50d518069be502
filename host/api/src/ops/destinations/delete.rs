//! `DELETE /v1/tenants/{tenant}/destinations/{destination}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Documented, Example, Verb, operation};
use crate::problem::Problem;

operation! {
    id: "destinations.delete",
    verb: Verb::Delete,
    path: "/v1/tenants/{tenant}/destinations/{destination}",
    tag: "destinations",
    summary: "Delete a destination",
    about: "Its credentials are deleted; its waiting deliveries end as cancelled. Its history stays.",
    action: Some(Action::DestinationsWrite),
    answers: &[Documented { status: 204, schema: "", about: "Deleted." }],
    examples: &[Example::get("Delete it", "/v1/tenants/acme/destinations/orders", 204)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let found = call.destination(&tenant).await?;
    call.if_match()?.check(Some(found.revision))?;
    crate::names::keep(call.state.store.as_ref(), &found).await?;
    if !call.state.store.delete_destination(tenant.no, &found.id, call.state.now()).await? {
        return Err(Problem::not_found("destination"));
    }
    call.changed(&tenant, &[found.no]);
    Ok(Answer::empty())
}
