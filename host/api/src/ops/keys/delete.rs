//! `DELETE /v1/keys/{key}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::codes;
use crate::operation::{Documented, Example, Verb, operation};
use crate::problem::Problem;
use railhead_store::directory::Key;

operation! {
    id: "keys.delete",
    verb: Verb::Delete,
    path: "/v1/keys/{key}",
    tag: "keys",
    summary: "Revoke a key",
    about: "At once on this host and, where hosts hear each other, on every other; within two seconds where they do not. Its \
            record stays. Needs every scope that the key has.",
    action: Some(Action::Keys),
    answers: &[Documented { status: 204, schema: "", about: "Revoked." }],
    examples: &[Example::get("Revoke it", "/v1/keys/{key}", 204)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let mut key = super::get::find(&call).await?;
    check_held(&call, &key)?;
    if key.revoked {
        // Every host would look all its keys up again, for nothing.
        return Ok(Answer::empty());
    }
    key.revoked = true;
    let written = call.state.store.put_key(&key).await;
    // Even if it failed: it may be written all the same, and whoever tries again finds it revoked.
    call.state.delivery.keys_changed();
    written?;
    Ok(Answer::empty())
}

/// Only who may do all that a key may ends or replaces it.
///
/// # Errors
/// 403 `missing-scope`.
pub fn check_held(call: &Call, key: &Key) -> Result<(), Problem> {
    if call.permit.covers(&key.scopes) {
        return Ok(());
    }
    Err(Problem::new(&codes::MISSING_SCOPE, "The key has scopes that the key of this request has not."))
}
