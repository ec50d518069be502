//! `GET /v1/tenants`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, PAGE, answers, operation};
use crate::problem::Problem;
use crate::views;
use railhead_model::TenantId;

operation! {
    id: "tenants.list",
    path: "/v1/tenants",
    tag: "tenants",
    summary: "List tenants, by id",
    action: Some(Action::Tenants),
    query: PAGE,
    answers: &[answers(200, "TenantList", "A page.")],
    examples: &[Example::get("All", "/v1/tenants", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let page = call.page()?;
    let after: Option<TenantId> = page.after()?;
    let mut rows = call.state.store.tenants(call.environment()?.no, after.as_ref(), page.limit + 1).await?;
    let more = rows.len() > page.limit as usize;
    rows.truncate(page.limit as usize);
    let next = rows.last().filter(|_| more).map(|tenant| tenant.id.to_string());
    let shown = rows.iter().map(|row| Ok(views::tenant(row, &call.external_id(row)?)));
    page.answer(&call, shown.collect::<Result<_, Problem>>()?, next)
}
