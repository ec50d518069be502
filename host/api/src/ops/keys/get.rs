//! `GET /v1/keys/{key}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, answers, operation};
use crate::problem::Problem;
use crate::views;
use railhead_model::KeyId;
use railhead_store::directory::Key;

operation! {
    id: "keys.get",
    path: "/v1/keys/{key}",
    tag: "keys",
    summary: "Get a key, without its secret",
    action: Some(Action::Keys),
    answers: &[answers(200, "Key", "The key.")],
    examples: &[Example::get("A key", "/v1/keys/{key}", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let key = find(&call).await?;
    Answer::ok(&views::key(&key, Some(&call.environment()?.name)))
}

/// The key of the path, in the caller's environment.
///
/// # Errors
/// 404.
pub async fn find(call: &Call) -> Result<Key, Problem> {
    let missing = || Problem::not_found("key");
    let id: KeyId = call.param("key").parse().map_err(|_| missing())?;
    let keys = call.state.store.keys(Some(call.environment()?.no)).await?;
    keys.into_iter().find(|key| key.id == id).ok_or_else(missing)
}
