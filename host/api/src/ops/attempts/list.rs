//! `GET /v1/tenants/{tenant}/deliveries/{delivery}/attempts`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, PAGE, answers, operation};
use crate::ops::deliveries;
use crate::problem::Problem;

operation! {
    id: "attempts.list",
    path: "/v1/tenants/{tenant}/deliveries/{delivery}/attempts",
    tag: "deliveries",
    summary: "List a delivery's attempts, newest first",
    about: "Each with its request as sent (masked), the response, and how long every phase took. Payloads show only to \
            keys with `payloads:read`.",
    action: Some(Action::DeliveriesRead),
    query: PAGE,
    answers: &[answers(200, "AttemptList", "A page.")],
    examples: &[Example::get("All", "/v1/tenants/acme/deliveries/{delivery}/attempts", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let delivery = deliveries::get::find(&call, &tenant).await?;
    let page = call.page()?;
    let before: Option<u32> = page.after()?;
    let mut rows = call.state.store.attempts(tenant.no, delivery.key).await?;
    rows.retain(|row| before.is_none_or(|before| row.attempt.n < before));
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.attempt.n));
    let more = rows.len() > page.limit as usize;
    rows.truncate(page.limit as usize);
    let next = rows.last().filter(|_| more).map(|row| row.attempt.n.to_string());
    let data = super::get::views(&call, &tenant, delivery.key, &rows).await?;
    page.answer(&call, data, next)
}
