//! `GET /v1/event-types`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, PAGE, answers, operation};
use crate::problem::Problem;
use crate::views;

operation! {
    id: "event-types.list",
    path: "/v1/event-types",
    tag: "event types",
    summary: "List the catalogue of event types, by name",
    action: Some(Action::EventTypes),
    query: PAGE,
    answers: &[answers(200, "EventTypeList", "A page.")],
    examples: &[Example::get("All", "/v1/event-types", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let page = call.page()?;
    let after: Option<String> = page.after()?;
    let environment = call.environment()?.no;
    let mut rows = call.state.store.event_types(environment, after.as_deref(), page.limit + 1).await?;
    let more = rows.len() > page.limit as usize;
    rows.truncate(page.limit as usize);
    let next = rows.last().filter(|_| more).map(|row| row.name.clone());
    page.answer(&call, rows.iter().map(views::event_type).collect(), next)
}
