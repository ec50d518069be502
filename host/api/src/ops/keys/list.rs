//! `GET /v1/keys`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, PAGE, answers, operation};
use crate::problem::Problem;
use crate::views;

operation! {
    id: "keys.list",
    path: "/v1/keys",
    tag: "keys",
    summary: "List an environment's keys, newest first",
    about: "Revoked and expired ones too; never a secret.",
    action: Some(Action::Keys),
    query: PAGE,
    answers: &[answers(200, "KeyList", "A page.")],
    examples: &[Example::get("All", "/v1/keys", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let page = call.page()?;
    let environment = call.environment()?;
    let before: Option<railhead_model::KeyId> = page.after()?;
    let mut rows = call.state.store.keys(Some(environment.no)).await?;
    rows.retain(|row| before.is_none_or(|before| row.id < before));
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.id));
    let more = rows.len() > page.limit as usize;
    rows.truncate(page.limit as usize);
    let next = rows.last().filter(|_| more).map(|row| row.id.to_string());
    page.answer(&call, rows.iter().map(|row| views::key(row, Some(&environment.name))).collect(), next)
}
