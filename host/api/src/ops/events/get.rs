//! `GET /v1/tenants/{tenant}/events/{event}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, answers, operation};
use crate::problem::Problem;
use crate::views;
use railhead_model::DestinationNo;
use railhead_model::event::Head;
use railhead_store::history::EventRow;
use railhead_vault::TenantKeys;
use serde_json::json;
use std::collections::BTreeSet;

operation! {
    id: "events.get",
    path: "/v1/tenants/{tenant}/events/{event}",
    tag: "events",
    summary: "Where did my event go?",
    about: "The event with its end, or its present state, at every destination: pending, retrying, delivered, dead, \
            expired, cancelled, filtered (not subscribed, or the filter did not match) or skipped (the destination was \
            disabled). The path takes our `uid` or the percent-encoded `id` of the vendor.",
    action: Some(Action::EventsRead),
    answers: &[answers(200, "Event", "The event and its destinations.")],
    examples: &[
        Example::get("By the vendor's id", "/v1/tenants/acme/events/ord-1", 200),
        Example::get("By uid", "/v1/tenants/acme/events/{event}", 200),
    ],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let row = call.event(&tenant).await?;
    let deliveries = call.state.store.deliveries_of(tenant.no, row.uid).await?;
    let routed = row.route.verdicts.iter().map(|(no, _)| *no);
    let nos: BTreeSet<DestinationNo> = routed.chain(deliveries.iter().map(|row| row.key.destination)).collect();
    let nos: Vec<_> = nos.into_iter().collect();
    let names = crate::names::of(call.state.store.as_ref(), &nos).await?;
    let mut view = views::event(&row, &head(&*call.keys(&tenant)?, &row)?);
    if let Some(view) = view.as_object_mut() {
        view.insert("tenant".to_owned(), json!(tenant.id));
        view.insert("destinations".to_owned(), views::outcomes(&row, &deliveries, &names).into());
    }
    Answer::ok(&view)
}

/// Opens an event's head.
///
/// # Errors
/// 500 for what does not open.
pub fn head(keys: &TenantKeys, row: &EventRow) -> Result<Head, Problem> {
    let plain = keys.open_head(row.uid, &row.head)?;
    serde_json::from_slice(&plain).map_err(|error| Problem::internal(&error))
}
