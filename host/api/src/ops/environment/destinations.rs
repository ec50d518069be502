//! `GET /v1/destinations`

use super::walk::Group;
use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, PAGE, answers, operation};
use crate::ops::destinations::get;
use crate::problem::Problem;

operation! {
    id: "environment.destinations",
    path: "/v1/destinations",
    tag: "destinations",
    summary: "List destinations of all tenants, newest first",
    about: "Tenants are walked by id, fifty at a time, and the newest destination comes first within these.",
    action: Some(Action::DestinationsRead),
    query: PAGE,
    answers: &[answers(200, "DestinationList", "A page.")],
    examples: &[Example::get("All", "/v1/destinations", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let page = call.page()?;
    let group: Group<i64> = Group::of(&call, &page).await?;
    let mut found = Vec::new();
    for tenant in group.tenants.iter().filter(|tenant| !tenant.id.is_reserved()) {
        let mut rows = call.state.store.destinations(tenant.no).await?;
        rows.retain(|row| group.before().is_none_or(|before| row.no.0 < before));
        found.push((rows.into_iter().map(|row| (row.no.0, (tenant, row))).collect(), None));
    }
    let (rows, next) = group.merge(found);
    let nos: Vec<_> = rows.iter().map(|(_, row)| row.no).collect();
    let mut data: Vec<_> = rows.iter().map(|(tenant, row)| get::view(&call, tenant, row)).collect();
    get::add_waiting(&call, &nos, &mut data).await?;
    page.answer(&call, data, next)
}
