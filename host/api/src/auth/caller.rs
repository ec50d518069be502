//! Who holds the key of a request.

use super::{Principal, Reach};
use crate::codes;
use crate::keys::{SettingsKey, hash};
use crate::operation::Operation;
use crate::problem::Problem;
use crate::state::ApiState;
use http::HeaderMap;
use http::header::AUTHORIZATION;

/// Bytes of a key at most.
const MAX_SECRET: usize = 256;

/// The holder of the request's key; nobody in particular where the operation needs none.
///
/// # Errors
/// 401; 503 if the store does not answer.
pub(crate) async fn caller(state: &ApiState, operation: &Operation, headers: &HeaderMap) -> Result<Principal, Problem> {
    if operation.action.is_none() {
        return Ok(Principal { key: None, reach: Reach::Nothing, expires_at: None, hash: [0; 32] });
    }
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let secret = header.and_then(|text| {
        let (scheme, secret) = text.split_once(' ')?;
        let (is_bearer, secret) = (scheme.eq_ignore_ascii_case("bearer"), secret.trim());
        (is_bearer && (1..=MAX_SECRET).contains(&secret.len())).then_some(secret)
    });
    holder(state, secret.ok_or_else(unauthenticated)?).await
}

async fn holder(state: &ApiState, secret: &str) -> Result<Principal, Problem> {
    let hash = hash(secret);
    if let Some(key) = state.options.keys.iter().find(|key| key.hash == hash) {
        return of_settings(state, key).await;
    }
    let key = state.keys.find(state, &hash).await?.ok_or_else(unauthenticated)?;
    if key.revoked || key.expires_at.is_some_and(|at| at <= state.now()) {
        return Err(unauthenticated());
    }
    let reach = key.environment.map_or(Reach::Everything, |environment| Reach::One(environment, key.scopes));
    Ok(Principal { key: Some(key.id), reach, expires_at: key.expires_at, hash })
}

async fn of_settings(state: &ApiState, key: &SettingsKey) -> Result<Principal, Problem> {
    let reach = match &key.environment {
        None => Reach::Everything,
        Some(name) => {
            let environment = state.environment_named(name).await?.ok_or_else(unauthenticated)?;
            Reach::One(environment.no, key.scopes.clone())
        }
    };
    Ok(Principal { key: None, reach, expires_at: None, hash: key.hash })
}

/// The same words for every reason: a guesser learns nothing.
pub(super) fn unauthenticated() -> Problem {
    Problem::new(&codes::UNAUTHENTICATED, "A valid API key is needed: `Authorization: Bearer <key>`.")
}
