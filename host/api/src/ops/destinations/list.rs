//! `GET /v1/tenants/{tenant}/destinations`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, PAGE, answers, operation};
use crate::problem::Problem;
use railhead_model::DestinationNo;

operation! {
    id: "destinations.list",
    path: "/v1/tenants/{tenant}/destinations",
    tag: "destinations",
    summary: "List a tenant's destinations, newest first",
    action: Some(Action::DestinationsRead),
    query: PAGE,
    answers: &[answers(200, "DestinationList", "A page.")],
    examples: &[Example::get("All", "/v1/tenants/acme/destinations", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let page = call.page()?;
    let before: Option<i64> = page.after()?;
    let mut rows = call.state.store.destinations_page(tenant.no, before.map(DestinationNo), page.limit + 1).await?;
    let more = rows.len() > page.limit as usize;
    rows.truncate(page.limit as usize);
    let next = rows.last().filter(|_| more).map(|row| row.no.to_string());
    let mut data: Vec<_> = rows.iter().map(|row| super::get::view(&call, &tenant, row)).collect();
    let nos: Vec<_> = rows.iter().map(|row| row.no).collect();
    super::get::add_waiting(&call, &nos, &mut data).await?;
    page.answer(&call, data, next)
}
