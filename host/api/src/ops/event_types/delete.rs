//! `DELETE /v1/event-types/{type}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Documented, Example, Verb, operation};
use crate::problem::Problem;

operation! {
    id: "event-types.delete",
    verb: Verb::Delete,
    path: "/v1/event-types/{type}",
    tag: "event types",
    summary: "Delete an event type",
    about: "From the catalogue alone: events of this type are published and delivered as before.",
    action: Some(Action::EventTypes),
    answers: &[Documented { status: 204, schema: "", about: "Deleted." }],
    examples: &[Example::get("Delete it", "/v1/event-types/order.created", 204)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let (environment, name) = (call.environment()?.no, call.param("type"));
    let found = call.state.store.event_type(environment, name).await?;
    call.if_match()?.check(found.as_ref().map(|row| row.revision))?;
    if call.state.store.delete_event_type(environment, name).await? {
        Ok(Answer::empty())
    } else {
        Err(Problem::not_found("event type"))
    }
}
