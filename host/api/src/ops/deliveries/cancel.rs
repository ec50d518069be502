//! `POST /v1/tenants/{tenant}/deliveries/{delivery}/cancel`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::codes;
use crate::operation::{Example, Verb, answers, operation};
use crate::problem::Problem;
use railhead_store::work::Commanded;

operation! {
    id: "deliveries.cancel",
    verb: Verb::Post,
    path: "/v1/tenants/{tenant}/deliveries/{delivery}/cancel",
    tag: "deliveries",
    summary: "Cancel a delivery that waits",
    about: "It ends as cancelled. An attempt that runs at this moment is not called back.",
    action: Some(Action::DeliveriesWrite),
    answers: &[answers(200, "Delivery", "Cancelled.")],
    examples: &[Example::get("One that has ended", "/v1/tenants/acme/deliveries/{delivery}/cancel", 409)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let row = super::get::find(&call, &tenant).await?;
    if call.state.delivery.cancel(row.key).await? == Commanded::NotWaiting {
        return Err(Problem::new(&codes::NOT_WAITING, "The delivery has ended already."));
    }
    let row = super::get::find(&call, &tenant).await?;
    Answer::ok(&super::get::view(&call, &row).await?)
}
