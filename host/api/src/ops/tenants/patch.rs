//! `PATCH /v1/tenants/{tenant}`

use super::put;
use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, PATCH, Verb, answers, operation};
use crate::problem::Problem;
use crate::{json, views};
use serde_json::json;

operation! {
    id: "tenants.patch",
    verb: Verb::Patch,
    path: "/v1/tenants/{tenant}",
    tag: "tenants",
    summary: "Change a tenant",
    about: "A JSON merge patch: what is absent stays, null removes.",
    action: Some(Action::Tenants),
    body: "TenantInput",
    takes: PATCH,
    answers: &[answers(200, "Tenant", "Changed.")],
    examples: &[Example::json("Add a note", "/v1/tenants/acme", r#"{"metadata": {"region": "eu"}}"#, 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let if_match = call.if_match()?;
    let expect = if_match.check(Some(tenant.revision))?;
    let mut whole = json!({"name": tenant.name, "metadata": tenant.metadata, "limits": tenant.limits});
    json::merge(&mut whole, call.value()?);
    let tenant = put::write(&call, tenant, put::input(whole)?, expect, if_match).await?;
    Ok(Answer::ok(&views::tenant(&tenant, &call.external_id(&tenant)?))?.etag(tenant.revision))
}
