//! `POST /v1/keys/{key}/rotate`

use super::create::with_secret;
use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::codes;
use crate::keys::{hash, new_secret};
use crate::operation::{Example, Verb, answers, operation};
use crate::problem::Problem;
use railhead_model::KeyId;
use railhead_model::time::DAY_MS;
use railhead_store::directory::Key;
use serde::Deserialize;

/// Longest time that the old secret goes on working, in milliseconds.
const MAX_OVERLAP_MS: i64 = 30 * DAY_MS;

operation! {
    id: "keys.rotate",
    verb: Verb::Post,
    path: "/v1/keys/{key}/rotate",
    tag: "keys",
    summary: "Replace a key",
    about: "Makes a new key with the same name, scopes and expiry. The old one works for `overlap_ms` more (by default 0: \
            it ends at once). Needs every scope that the key has, and a key that ends no sooner.",
    action: Some(Action::Keys),
    body: "Rotate",
    answers: &[answers(201, "NewKey", "The new key; `secret` is shown this once.")],
    examples: &[Example::json("With an hour of overlap", "/v1/keys/{key}/rotate", r#"{"overlap_ms": 3600000}"#, 201)],
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    #[serde(default)]
    overlap_ms: i64,
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let environment = call.environment()?.clone();
    let mut old = super::get::find(&call).await?;
    let input: Input = call.json(&[])?;
    if !(0..=MAX_OVERLAP_MS).contains(&input.overlap_ms) {
        let detail = format!("Expected 0 to {MAX_OVERLAP_MS} (milliseconds).");
        return Err(Problem::field("/overlap_ms", &codes::INVALID_VALUE, detail));
    }
    let now = call.state.now();
    if old.revoked || old.expires_at.is_some_and(|at| at <= now) {
        return Err(Problem::new(&codes::CONFLICT, "The key is not in force: make a new one."));
    }
    super::delete::check_held(&call, &old)?;
    if !call.permit.lasts(old.expires_at) {
        let detail = "The key of this request ends before the one that it would replace.";
        return Err(Problem::field("", &codes::INVALID_VALUE, detail));
    }
    let secret = new_secret(Some(&environment.name), call.state.random.as_ref());
    let new =
        Key { id: KeyId::new(now, call.state.random_bytes()), hash: hash(&secret), created_at: now, ..old.clone() };
    // The new one first: whatever fails in between, one of the two works.
    call.state.store.put_key(&new).await?;
    let until = now.plus_ms(input.overlap_ms);
    old.expires_at = Some(old.expires_at.map_or(until, |at| at.min(until)));
    call.state.store.put_key(&old).await?;
    call.state.delivery.keys_changed();
    // Revoked in between: the new key must not outlive the one that it came from.
    if call.state.store.key_by_hash(&old.hash).await?.is_none_or(|old| old.revoked) {
        call.state.store.put_key(&Key { revoked: true, ..new }).await?;
        return Err(Problem::new(&codes::CONFLICT, "The key was revoked in the meantime."));
    }
    Answer::json(201, &with_secret(&new, &environment.name, &secret))
}
