//! `DELETE /v1/tenants/{tenant}/events/{event}/payload`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Documented, Example, Verb, operation};
use crate::problem::Problem;

operation! {
    id: "events.erase",
    verb: Verb::Delete,
    path: "/v1/tenants/{tenant}/events/{event}/payload",
    tag: "events",
    summary: "Erase an event's payload",
    about: "The record of the event and its deliveries stays; deliveries that still wait end as expired. One that is \
            under way may still arrive.",
    action: Some(Action::EventsWrite),
    answers: &[Documented { status: 204, schema: "", about: "Erased." }],
    examples: &[Example::get("Erase it", "/v1/tenants/acme/events/ord-1/payload", 204)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let row = call.event(&tenant).await?;
    if call.state.store.erase_payload(tenant.no, row.uid).await? {
        call.state.delivery.erased(row.uid);
        Ok(Answer::empty())
    } else {
        Err(Problem::not_found("event"))
    }
}
