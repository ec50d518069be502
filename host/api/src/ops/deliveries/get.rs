//! `GET /v1/tenants/{tenant}/deliveries/{delivery}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, answers, operation};
use crate::problem::Problem;
use crate::views;
use railhead_model::DeliveryKey;
use railhead_store::directory::Tenant;
use railhead_store::history::DeliveryRow;
use serde_json::Value;

operation! {
    id: "deliveries.get",
    path: "/v1/tenants/{tenant}/deliveries/{delivery}",
    tag: "deliveries",
    summary: "Get a delivery",
    action: Some(Action::DeliveriesRead),
    answers: &[answers(200, "Delivery", "The delivery.")],
    examples: &[Example::get("A delivery", "/v1/tenants/acme/deliveries/{delivery}", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let row = find(&call, &tenant).await?;
    Answer::ok(&view(&call, &row).await?)
}

/// The delivery of the path.
///
/// # Errors
/// 404.
pub async fn find(call: &Call, tenant: &Tenant) -> Result<DeliveryRow, Problem> {
    let missing = || Problem::not_found("delivery");
    let key: DeliveryKey = call.param("delivery").parse().map_err(|_| missing())?;
    call.state.store.delivery(tenant.no, key).await?.ok_or_else(missing)
}

/// A delivery with its destination's id.
///
/// # Errors
/// The store's.
pub async fn view(call: &Call, row: &DeliveryRow) -> Result<Value, Problem> {
    let names = super::list::names(call, [row]).await?;
    Ok(views::delivery(row, &names))
}
