//! `GET /v1/events`

use super::walk::Group;
use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, answers, operation};
use crate::ops::events::{get, list};
use crate::problem::Problem;
use crate::views;
use railhead_model::EventUid;
use serde_json::json;

operation! {
    id: "environment.events",
    path: "/v1/events",
    tag: "events",
    summary: "List events of all tenants, newest first",
    about: "Tenants are walked by id, fifty at a time, and the newest event comes first within these. A page examines a \
            bounded number of rows: `data` may be short or empty while `next` is set.",
    action: Some(Action::EventsRead),
    query: list::QUERY,
    answers: &[answers(200, "TenantEventList", "A page.")],
    examples: &[Example::get("The newest ten", "/v1/events?limit=10", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let page = call.page()?;
    let filter = list::filter(&call)?;
    let group: Group<EventUid> = Group::of(&call, &page).await?;
    let mut found = Vec::new();
    for tenant in &group.tenants {
        let rows = call.state.store.events(tenant.no, &filter, group.before(), page.limit).await?;
        let next = rows.next;
        found.push((rows.rows.into_iter().map(|row| (row.uid, (tenant, row))).collect(), next));
    }
    let (rows, next) = group.merge(found);
    let mut data = Vec::with_capacity(rows.len());
    for (tenant, row) in &rows {
        let head = get::head(&*call.keys(tenant)?, row)?;
        data.push(views::with_member(views::event(row, &head), "tenant", json!(tenant.id)));
    }
    page.answer(&call, data, next)
}
