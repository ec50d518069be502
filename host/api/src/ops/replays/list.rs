//! `GET /v1/tenants/{tenant}/replays`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, PAGE, answers, operation};
use crate::problem::Problem;

operation! {
    id: "replays.list",
    path: "/v1/tenants/{tenant}/replays",
    tag: "replays",
    summary: "List a tenant's replays, newest first",
    action: Some(Action::DeliveriesRead),
    query: PAGE,
    answers: &[answers(200, "ReplayList", "A page.")],
    examples: &[Example::get("All", "/v1/tenants/acme/replays", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let page = call.page()?;
    let mut rows = call.state.store.replays(tenant.no, page.after()?, page.limit + 1).await?;
    let more = rows.len() > page.limit as usize;
    rows.truncate(page.limit as usize);
    let next = rows.last().filter(|_| more).map(|row| row.id.to_string());
    let data = super::get::view(&call, &rows).await?;
    page.answer(&call, data, next)
}
