//! `GET /v1/tenants/{tenant}/destinations/{destination}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, answers, operation};
use crate::problem::Problem;
use crate::views;
use railhead_model::DestinationNo;
use railhead_store::directory::{Destination, Tenant};
use serde_json::Value;
use std::collections::BTreeMap;

operation! {
    id: "destinations.get",
    path: "/v1/tenants/{tenant}/destinations/{destination}",
    tag: "destinations",
    summary: "Get a destination",
    about: "Credentials show as masks. `effective` is what is in force with all defaults. `waiting` counts unfinished \
            deliveries, up to 10,000.",
    action: Some(Action::DestinationsRead),
    answers: &[answers(200, "Destination", "The destination.")],
    examples: &[Example::get("A destination", "/v1/tenants/acme/destinations/orders", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let destination = call.destination(&tenant).await?;
    answer(&call, &tenant, &destination, 200).await
}

/// Waiting deliveries are counted up to this: counting more would cost as much as the backlog is long.
pub const WAITING_CAP: u32 = 10_000;

/// Adds `waiting` to the views of these destinations.
///
/// # Errors
/// The store's.
pub async fn add_waiting(call: &Call, nos: &[DestinationNo], views: &mut [Value]) -> Result<(), Problem> {
    let counts: BTreeMap<_, _> = call.state.store.waiting(nos, WAITING_CAP).await?.into_iter().collect();
    for (no, view) in nos.iter().zip(views) {
        if let Some(view) = view.as_object_mut() {
            view.insert("waiting".to_owned(), counts.get(no).copied().unwrap_or(0).into());
        }
    }
    Ok(())
}

/// These destinations whole; one that was deleted meanwhile is left out.
///
/// # Errors
/// The store's.
pub async fn whole(call: &Call, nos: &[DestinationNo]) -> Result<BTreeMap<DestinationNo, Destination>, Problem> {
    Ok(call.state.store.destinations_by_no(nos).await?.into_iter().map(|row| (row.no, row)).collect())
}

/// A destination as JSON.
#[must_use]
pub fn view(call: &Call, tenant: &Tenant, destination: &Destination) -> Value {
    let health = call.state.delivery.health(destination.no);
    let view = views::destination(&call.state.connectors, tenant, destination, health);
    let connector = call.state.connectors.get(&destination.spec.connector);
    let assumes = connector.is_some_and(|one| one.manifest.credentials.iter().any(|field| field.operator));
    let external_id = assumes.then(|| call.external_id(tenant).ok()).flatten();
    views::with_member(view, "external_id", external_id.into())
}

/// Answers with a destination and its ETag.
///
/// # Errors
/// The store's.
pub async fn answer(call: &Call, tenant: &Tenant, destination: &Destination, status: u16) -> Result<Answer, Problem> {
    let mut view = view(call, tenant, destination);
    add_waiting(call, &[destination.no], std::slice::from_mut(&mut view)).await?;
    Ok(Answer::json(status, &view)?.etag(destination.revision))
}
