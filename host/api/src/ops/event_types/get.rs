//! `GET /v1/event-types/{type}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, answers, operation};
use crate::problem::Problem;
use crate::views;

operation! {
    id: "event-types.get",
    path: "/v1/event-types/{type}",
    tag: "event types",
    summary: "Get an event type",
    action: Some(Action::EventTypes),
    answers: &[answers(200, "EventType", "The event type.")],
    examples: &[Example::get("A type", "/v1/event-types/order.created", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let found = call.state.store.event_type(call.environment()?.no, call.param("type")).await?;
    let row = found.ok_or_else(|| Problem::not_found("event type"))?;
    Ok(Answer::ok(&views::event_type(&row))?.etag(row.revision))
}
