//! `DELETE /v1/keys/{key}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Documented, Example, Verb, operation};
use crate::problem::Problem;

operation! {
    id: "keys.delete",
    verb: Verb::Delete,
    path: "/v1/keys/{key}",
    tag: "keys",
    summary: "Revoke a key",
    about: "At once on this host, within two seconds on every other. Its record stays.",
    action: Some(Action::Keys),
    answers: &[Documented { status: 204, schema: "", about: "Revoked." }],
    examples: &[Example::get("Revoke it", "/v1/keys/{key}", 204)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let mut key = super::get::find(&call).await?;
    key.revoked = true;
    call.state.store.put_key(&key).await?;
    call.state.keys.forget(&key.hash);
    Ok(Answer::empty())
}
