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
    action: Some(Action::Tenants),
    answers: &[answers(200, "Tenant", "The tenant.")],
    examples: &[Example::get("A tenant", "/v1/tenants/acme", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    Ok(Answer::ok(&views::tenant(&tenant))?.etag(tenant.revision))
}
