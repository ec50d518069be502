//! `GET /v1/tenants/{tenant}/deliveries/{delivery}/attempts`

use super::brief::Briefs;
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
            keys with `payloads:read`. Bodies show their first 16 KiB, and a page ends before 1 MiB: `data` may be short \
            while `next` is set. Get one attempt for all of it.",
    action: Some(Action::DeliveriesRead),
    query: PAGE,
    answers: &[answers(200, "AttemptList", "A page.")],
    examples: &[Example::get("All", "/v1/tenants/acme/deliveries/{delivery}/attempts", 200)],
}

/// A page is full with this many bytes: whoever looks at attempts again and again costs no more than this each time.
const MAX_PAGE: usize = 1024 * 1024;

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let delivery = deliveries::get::find(&call, &tenant).await?;
    let page = call.page()?;
    let before: Option<u32> = page.after()?;
    let mut rows = call.state.store.attempts(tenant.no, delivery.key).await?;
    rows.retain(|row| before.is_none_or(|before| row.attempt.n < before));
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.attempt.n));
    let mut briefs = Briefs::new(&call, &tenant, delivery.key)?;
    let (mut data, mut bytes, mut next) = (Vec::new(), 0, None);
    for (at, row) in rows.iter().enumerate() {
        let view = briefs.view(row).await?;
        data.push(view);
        bytes += data.last().map_or(0, |view| view.to_string().len());
        if data.len() >= page.limit as usize || bytes >= MAX_PAGE {
            next = rows.get(at + 1).map(|_| row.attempt.n.to_string());
            break;
        }
    }
    page.answer(&call, data, next)
}
