//! `DELETE /v1/tenants/{tenant}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Documented, Example, Verb, operation};
use crate::problem::Problem;

operation! {
    id: "tenants.delete",
    verb: Verb::Delete,
    path: "/v1/tenants/{tenant}",
    tag: "tenants",
    summary: "Delete a tenant and erase its data",
    about: "Its data key is destroyed, and with it everything that was sealed for it: payloads, requests, responses, \
            credentials. Waiting deliveries are dropped.",
    action: Some(Action::Tenants),
    answers: &[Documented { status: 204, schema: "", about: "Deleted." }],
    examples: &[Example::get("Delete it", "/v1/tenants/acme", 204)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    call.if_match()?.check(Some(tenant.revision))?;
    let destinations = call.state.store.destinations(tenant.no).await?;
    if !call.state.store.delete_tenant(tenant.no).await? {
        return Err(Problem::not_found("tenant"));
    }
    call.state.delivery.keyring().forget(tenant.no);
    let nos: Vec<_> = destinations.iter().map(|destination| destination.no).collect();
    call.changed(&tenant, &nos);
    if tenant.id.is_reserved() {
        tracing::info!(
            target: "railhead::audit", key = %call.permit, tenant = %tenant.id,
            "operational events have no tenant any more: none are made"
        );
    }
    Ok(Answer::empty())
}
