//! `GET /v1/tenants/{tenant}/destinations/{destination}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, answers, operation};
use crate::problem::Problem;
use crate::views;
use railhead_store::directory::{Destination, Tenant};
use serde_json::Value;

operation! {
    id: "destinations.get",
    path: "/v1/tenants/{tenant}/destinations/{destination}",
    tag: "destinations",
    summary: "Get a destination",
    about: "Credentials show as masks. `effective` is what is in force with all defaults.",
    action: Some(Action::DestinationsRead),
    answers: &[answers(200, "Destination", "The destination.")],
    examples: &[Example::get("A destination", "/v1/tenants/acme/destinations/orders", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let destination = call.destination(&tenant).await?;
    answer(&call, &tenant, &destination, 200)
}

/// A destination as JSON.
#[must_use]
pub fn view(call: &Call, tenant: &Tenant, destination: &Destination) -> Value {
    let health = call.state.delivery.health(destination.no);
    views::destination(&call.state.connectors, tenant, destination, health)
}

/// Answers with a destination and its ETag.
///
/// # Errors
/// As [`Answer::json`].
pub fn answer(call: &Call, tenant: &Tenant, destination: &Destination, status: u16) -> Result<Answer, Problem> {
    Ok(Answer::json(status, &view(call, tenant, destination))?.etag(destination.revision))
}
