//! `GET /v1/tenants/{tenant}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, answers, operation};
use crate::problem::Problem;
use crate::views;

operation! {
    id: "tenants.get",
    path: "/v1/tenants/{tenant}",
    tag: "tenants",
    summary: "Get a tenant",
    about: "`external_id` is what its owner writes into the trust policy of a role that this host is to assume: random, \
        immutable, and another one if the tenant is deleted and made again.",
    action: Some(Action::Tenants),
    answers: &[answers(200, "Tenant", "The tenant.")],
    examples: &[Example::get("A tenant", "/v1/tenants/acme", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    Ok(Answer::ok(&views::tenant(&tenant, &call.external_id(&tenant)?))?.etag(tenant.revision))
}
