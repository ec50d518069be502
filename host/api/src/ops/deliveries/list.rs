//! `GET /v1/tenants/{tenant}/deliveries`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{CURSOR, Example, LIMIT, Param, answers, operation};
use crate::problem::Problem;
use crate::views::{self, Names};
use railhead_model::{DeliveryKey, DeliveryState, DestinationId, DestinationNo, EventUid};
use railhead_store::directory::Tenant;
use railhead_store::history::{DeliveryFilter, DeliveryRow};
use std::collections::BTreeSet;

operation! {
    id: "deliveries.list",
    path: "/v1/tenants/{tenant}/deliveries",
    tag: "deliveries",
    summary: "List a tenant's deliveries, newest events first",
    about: "A page examines a bounded number of rows: `data` may be short or empty while `next` is set.",
    action: Some(Action::DeliveriesRead),
    query: QUERY,
    answers: &[answers(200, "DeliveryList", "A page.")],
    examples: &[
        Example::get("The dead letters of one destination", "/v1/tenants/acme/deliveries?destination=orders&state=dead", 200),
        Example::get("Of one event", "/v1/tenants/acme/deliveries?event=ord-1", 200),
    ],
}

/// Its parameters.
pub const QUERY: &[Param] = &[
    LIMIT,
    CURSOR,
    Param { name: "destination", about: "Only to this destination." },
    Param {
        name: "state",
        about: "Only in these states, separated by commas: pending, retrying, delivered, dead, \
                                   expired, cancelled.",
    },
    Param { name: "event_type", about: "Only of this event type." },
    Param { name: "event", about: "Only of this event: its uid, or the vendor's id." },
    Param { name: "since", about: "Only of events accepted at this time or later." },
    Param { name: "until", about: "Only of events accepted before this time." },
    Param { name: "code", about: "Only with this code at the last attempt, or at the end." },
];

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let page = call.page()?;
    let Some(filter) = filter(&call, &tenant).await? else { return page.answer(&call, Vec::new(), None) };
    let before: Option<DeliveryKey> = page.after()?;
    let found = call.state.store.deliveries(tenant.no, &filter, before, page.limit).await?;
    let names = names(&call, &found.rows).await?;
    let data = found.rows.iter().map(|row| views::delivery(row, &names)).collect();
    page.answer(&call, data, found.next.map(|key| key.to_string()))
}

/// Names of the destinations of these rows.
///
/// # Errors
/// The store's.
pub async fn names<'a>(call: &Call, rows: impl IntoIterator<Item = &'a DeliveryRow>) -> Result<Names, Problem> {
    let nos: BTreeSet<DestinationNo> = rows.into_iter().map(|row| row.key.destination).collect();
    let nos: Vec<_> = nos.into_iter().collect();
    crate::names::of(call.state.store.as_ref(), &nos).await
}

/// The filters; `None` if one of them names something that is not there, so that nothing can match.
///
/// # Errors
/// 400; the store's.
pub async fn filter(call: &Call, tenant: &Tenant) -> Result<Option<DeliveryFilter>, Problem> {
    let mut filter = DeliveryFilter {
        states: states(call)?,
        event_type: call.query.get("event_type").map(str::to_owned),
        since: call.query.time("since")?,
        until: call.query.time("until")?,
        code: call.query.get("code").map(str::to_owned),
        ..DeliveryFilter::default()
    };
    if let Some(text) = call.query.get("destination") {
        let Some(no) = destination(call, tenant, text).await? else { return Ok(None) };
        filter.destination = Some(no);
    }
    if let Some(text) = call.query.get("event") {
        let Some(uid) = event(call, tenant, text).await? else { return Ok(None) };
        filter.event = Some(uid);
    }
    Ok(Some(filter))
}

fn states(call: &Call) -> Result<Vec<DeliveryState>, Problem> {
    let Some(text) = call.query.get("state") else { return Ok(Vec::new()) };
    let one = |word: &str| {
        serde_json::from_value(word.trim().into())
            .map_err(|_| Problem::query("state", "Known: pending, retrying, delivered, dead, expired, cancelled."))
    };
    text.split(',').map(one).collect()
}

/// A destination's number by its id.
///
/// # Errors
/// The store's.
pub async fn destination(call: &Call, tenant: &Tenant, text: &str) -> Result<Option<DestinationNo>, Problem> {
    let Ok(id) = text.parse::<DestinationId>() else { return Ok(None) };
    Ok(call.state.store.destination(tenant.no, &id).await?.map(|found| found.no))
}

/// An event's uid by its uid or vendor id.
///
/// # Errors
/// The store's.
pub async fn event(call: &Call, tenant: &Tenant, text: &str) -> Result<Option<EventUid>, Problem> {
    if let Ok(uid) = text.parse::<EventUid>() {
        return Ok(Some(uid));
    }
    Ok(call.state.store.event_by_id(tenant.no, text).await?.map(|row| row.uid))
}
