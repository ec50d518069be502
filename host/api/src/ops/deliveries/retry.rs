//! `POST /v1/tenants/{tenant}/deliveries/{delivery}/retry`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, Verb, answers, operation};
use crate::problem::Problem;
use railhead_delivery::Retried;

operation! {
    id: "deliveries.retry",
    verb: Verb::Post,
    path: "/v1/tenants/{tenant}/deliveries/{delivery}/retry",
    tag: "deliveries",
    summary: "Deliver again",
    about: "A delivery that waits becomes due now (200). One that ended stays as it is; a new delivery of the same event is \
            made (201), whose `previous` names the old one.",
    action: Some(Action::DeliveriesWrite),
    answers: &[
        answers(200, "Delivery", "It was waiting, and is due now."),
        answers(201, "Delivery", "A new delivery."),
    ],
    examples: &[Example::get("Again", "/v1/tenants/acme/deliveries/{delivery}/retry", 201)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let row = super::get::find(&call, &tenant).await?;
    let (status, key) = match call.state.delivery.retry(row.key).await? {
        Retried::DueNow => (200, row.key),
        Retried::Again(key) => (201, key),
    };
    // Due now means now: a destination that is failing is probed at once.
    call.state.delivery.probe(key.destination);
    let row = call.state.store.delivery(tenant.no, key).await?.ok_or_else(|| Problem::not_found("delivery"))?;
    Answer::json(status, &super::get::view(&call, &row).await?)
}
