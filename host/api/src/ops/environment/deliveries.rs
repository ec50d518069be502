//! `GET /v1/deliveries`

use super::walk::Group;
use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, answers, operation};
use crate::ops::deliveries::list;
use crate::problem::Problem;
use crate::views;
use railhead_model::DeliveryKey;
use serde_json::json;

operation! {
    id: "environment.deliveries",
    path: "/v1/deliveries",
    tag: "deliveries",
    summary: "List deliveries of all tenants, newest events first",
    about: "Tenants are walked by id, fifty at a time, and the newest event comes first within these. A page examines a \
            bounded number of rows: `data` may be short or empty while `next` is set.",
    action: Some(Action::DeliveriesRead),
    query: list::QUERY,
    answers: &[answers(200, "TenantDeliveryList", "A page.")],
    examples: &[Example::get("Everybody's dead letters", "/v1/deliveries?state=dead", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let page = call.page()?;
    let group: Group<DeliveryKey> = Group::of(&call, &page).await?;
    let mut found = Vec::new();
    for tenant in &group.tenants {
        let Some(filter) = list::filter(&call, tenant).await? else { continue };
        let rows = call.state.store.deliveries(tenant.no, &filter, group.before(), page.limit).await?;
        let next = rows.next;
        found.push((rows.rows.into_iter().map(|row| (row.key, (tenant.id.clone(), row))).collect(), next));
    }
    let (rows, next) = group.merge(found);
    let names = list::names(&call, rows.iter().map(|(_, row)| row)).await?;
    let view = |(tenant, row): &_| views::with_member(views::delivery(row, &names), "tenant", json!(tenant));
    let data = rows.iter().map(view).collect();
    page.answer(&call, data, next)
}
