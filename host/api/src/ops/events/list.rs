//! `GET /v1/tenants/{tenant}/events`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{CURSOR, Example, LIMIT, Param, answers, operation};
use crate::problem::Problem;
use crate::views;
use railhead_store::history::EventFilter;

operation! {
    id: "events.list",
    path: "/v1/tenants/{tenant}/events",
    tag: "events",
    summary: "List a tenant's events, newest first",
    about: "A page examines a bounded number of rows: `data` may be short or empty while `next` is set.",
    action: Some(Action::EventsRead),
    query: QUERY,
    answers: &[answers(200, "EventList", "A page.")],
    examples: &[Example::get("The newest ten", "/v1/tenants/acme/events?limit=10", 200)],
}

/// Its parameters.
pub const QUERY: &[Param] = &[
    LIMIT,
    CURSOR,
    Param { name: "event_type", about: "Only this type." },
    Param { name: "since", about: "Accepted at this time or later." },
    Param { name: "until", about: "Accepted before this time." },
];

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let page = call.page()?;
    let filter = filter(&call)?;
    let found = call.state.store.events(tenant.no, &filter, page.after()?, page.limit).await?;
    let keys = call.keys(&tenant)?;
    let view = |row| Ok(views::event(row, &super::get::head(&keys, row)?));
    let data = found.rows.iter().map(view).collect::<Result<_, Problem>>()?;
    page.answer(&call, data, found.next.map(|uid| uid.to_string()))
}

/// The filters.
///
/// # Errors
/// 400.
pub fn filter(call: &Call) -> Result<EventFilter, Problem> {
    Ok(EventFilter {
        event_type: call.query.get("event_type").map(str::to_owned),
        since: call.query.time("since")?,
        until: call.query.time("until")?,
    })
}
