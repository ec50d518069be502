//! `POST /v1/keys`

use crate::answer::Answer;
use crate::auth::{Action, SCOPES};
use crate::call::Call;
use crate::destination::check_name;
use crate::keys::{hash, new_secret};
use crate::operation::{Example, Verb, answers, operation};
use crate::problem::{FieldError, Problem};
use crate::{codes, views};
use http::header::LOCATION;
use railhead_model::{KeyId, Timestamp};
use railhead_store::directory::Key;
use serde::Deserialize;
use serde_json::{Value, json};

operation! {
    id: "keys.create",
    verb: Verb::Post,
    path: "/v1/keys",
    tag: "keys",
    summary: "Create an API key",
    about: "The answer holds the secret, once: the host keeps its hash alone (and, under an Idempotency-Key, the sealed answer \
            for 24 hours). A key can give the scopes that it has itself, for no longer than it is in force itself. \
            The administrator names the environment with `?environment=`.",
    action: Some(Action::Keys),
    body: "KeyInput",
    answers: &[answers(201, "NewKey", "Created; `secret` is shown this once.")],
    examples: &[Example::json(
        "A key that can only publish",
        "/v1/keys",
        r#"{"name": "shop backend", "scopes": ["events:write"], "expires_at": "2099-01-01T00:00:00Z"}"#,
        201,
    )],
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    #[serde(default)]
    name: Option<String>,
    scopes: Vec<String>,
    #[serde(default, deserialize_with = "crate::json::time")]
    expires_at: Option<Timestamp>,
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let environment = call.environment()?.clone();
    let input: Input = call.json(&[])?;
    let now = call.state.now();
    check(&call, &input, now)?;
    let secret = new_secret(Some(&environment.name), call.state.random.as_ref());
    let key = Key {
        id: KeyId::new(now, call.state.random_bytes()),
        environment: Some(environment.no),
        name: input.name.unwrap_or_default(),
        hash: hash(&secret),
        scopes: input.scopes,
        created_at: now,
        expires_at: input.expires_at.or(call.permit.expires_at()),
        revoked: false,
    };
    call.state.store.put_key(&key).await?;
    let answer = Answer::json(201, &with_secret(&key, &environment.name, &secret))?;
    Ok(answer.header(LOCATION, format!("/v1/keys/{}", key.id)))
}

/// A key with its secret: the only answer that has it.
#[must_use]
pub fn with_secret(key: &Key, environment: &str, secret: &str) -> Value {
    let mut view = views::key(key, Some(environment));
    if let Some(view) = view.as_object_mut() {
        view.insert("secret".to_owned(), json!(secret));
    }
    view
}

fn check(call: &Call, input: &Input, now: Timestamp) -> Result<(), Problem> {
    let mut errors = Vec::new();
    check_name("/name", input.name.as_deref(), &mut errors);
    if input.scopes.is_empty() {
        errors.push(FieldError::new("/scopes", &codes::REQUIRED, "A key has at least one scope."));
    }
    if input.scopes.len() > SCOPES.len() + 1 {
        errors.push(FieldError::new("/scopes", &codes::INVALID_VALUE, "Expected each scope once."));
    }
    for (index, scope) in input.scopes.iter().enumerate().take(SCOPES.len() + 1) {
        if let Err((code, detail)) = check_scope(call, scope) {
            errors.push(FieldError::new(format!("/scopes/{index}"), code, detail));
        }
    }
    if input.expires_at.is_some_and(|at| at <= now) {
        errors.push(FieldError::new("/expires_at", &codes::INVALID_VALUE, "Expected a time to come."));
    }
    if let Some(own) = call.permit.expires_at()
        && input.expires_at.is_some()
        && !call.permit.lasts(input.expires_at)
    {
        let detail = format!("Expected a time until {own}, when the key of this request ends.");
        errors.push(FieldError::new("/expires_at", &codes::INVALID_VALUE, detail));
    }
    if errors.is_empty() { Ok(()) } else { Err(Problem::input(errors)) }
}

fn check_scope(call: &Call, scope: &str) -> Result<(), (&'static codes::Code, String)> {
    let known = SCOPES.iter().find(|action| action.scope() == scope);
    if known.is_none() && scope != "*" {
        let all: Vec<_> = SCOPES.iter().map(|action| format!("`{}`", action.scope())).collect();
        return Err((&codes::INVALID_VALUE, format!("There is no such scope. Known: {}, `*`.", all.join(", "))));
    }
    if call.permit.covers(&[scope.to_owned()]) {
        Ok(())
    } else {
        Err((&codes::SCOPE_NOT_HELD, "The key of this request does not have it.".to_owned()))
    }
}
