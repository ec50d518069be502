//! `GET /v1/destinations`

use super::walk::Group;
use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, PAGE, answers, operation};
use crate::ops::destinations::get;
use crate::problem::Problem;
use railhead_model::DestinationNo;

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
    for tenant in &group.tenants {
        let before = group.before().map(DestinationNo);
        let mut rows = call.state.store.standings(tenant.no, before, page.limit + 1).await?;
        let more = rows.len() > page.limit as usize;
        rows.truncate(page.limit as usize);
        let next = rows.last().filter(|_| more).map(|row| row.no.0);
        found.push((rows.into_iter().map(|row| (row.no.0, (tenant, row.no))).collect(), next));
    }
    let (rows, next) = group.merge(found);
    // Only what the page shows is read whole.
    let nos: Vec<_> = rows.iter().map(|(_, no)| *no).collect();
    let whole = get::whole(&call, &nos).await?;
    let rows: Vec<_> = rows.into_iter().filter_map(|(tenant, no)| Some((tenant, whole.get(&no)?))).collect();
    let nos: Vec<_> = rows.iter().map(|(_, row)| row.no).collect();
    let mut data: Vec<_> = rows.iter().map(|(tenant, row)| get::view(&call, tenant, row)).collect();
    get::add_waiting(&call, &nos, &mut data).await?;
    page.answer(&call, data, next)
}
