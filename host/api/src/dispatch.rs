//! The way of a request: id, key, permission, body, operation, log.

use crate::answer::Answer;
use crate::auth::{Principal, Resource, authorize};
use crate::call::Call;
use crate::codes;
use crate::operation::{Operation, Place};
use crate::problem::Problem;
use crate::query::{ENVIRONMENT, Query};
use crate::state::ApiState;
use crate::{body, idempotency, keys};
use axum::extract::{FromRequestParts as _, RawPathParams, Request};
use axum::response::Response;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use railhead_store::directory::Environment;
use std::sync::Arc;

/// Answered on every response; a caller may bring its own.
pub static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Carries out one request.
pub async fn dispatch(state: ApiState, operation: &'static Operation, request: Request) -> Response {
    let started = state.clock.monotonic_ms();
    let (parts, body) = request.into_parts();
    let request_id = request_id(&state, &parts.headers);
    let (who, result) = outcome(&state, operation, parts, body, &request_id).await;
    let answer = result.unwrap_or_else(|problem| Answer::problem(&problem, &request_id));
    let ms = state.clock.monotonic_ms().saturating_sub(started);
    record(operation, &answer, &who, &request_id, ms);
    with_id(answer, &request_id)
}

/// A request that no operation takes.
pub async fn refuse(state: ApiState, problem: Problem, request: Request) -> Response {
    let request_id = request_id(&state, request.headers());
    with_id(Answer::problem(&problem, &request_id), &request_id)
}

async fn outcome(
    state: &ApiState,
    operation: &'static Operation,
    mut parts: Parts,
    body: axum::body::Body,
    request_id: &Arc<str>,
) -> (String, Result<Answer, Problem>) {
    let principal = match principal(state, operation, &parts.headers).await {
        Ok(principal) => Arc::new(principal),
        Err(problem) => return (String::new(), Err(problem)),
    };
    let who = principal.to_string();
    let result = async {
        let query = Query::parse(parts.uri.query().unwrap_or_default(), operation.query)?;
        let environment = environment(state, operation, &principal, &query).await?;
        permit(operation, &principal, environment.as_deref())?;
        let path = path(&mut parts).await?;
        body::check_type(operation, &parts.headers)?;
        let body = body::read(state, operation, &parts.headers, body).await?;
        let (headers, request_id) = (parts.headers, Arc::clone(request_id));
        let call =
            Call { state: state.clone(), operation, principal, environment, path, query, headers, body, request_id };
        run(call).await
    };
    (who, result.await)
}

async fn principal(state: &ApiState, operation: &Operation, headers: &HeaderMap) -> Result<Principal, Problem> {
    if operation.action.is_none() {
        let nobody = Principal { key: None, environment: None, scopes: Vec::new(), expires_at: None, hash: [0; 32] };
        return Ok(nobody);
    }
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let secret = header.and_then(|text| {
        let (scheme, secret) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim()).filter(|secret| (1..=256).contains(&secret.len()))
    });
    keys::authenticate(state, secret.ok_or_else(keys::unauthenticated)?).await
}

/// The key's environment; for an administrator the one that the query names.
async fn environment(
    state: &ApiState,
    operation: &Operation,
    principal: &Principal,
    query: &Query,
) -> Result<Option<Arc<Environment>>, Problem> {
    if operation.action.is_none() {
        return Ok(None);
    }
    if let Some(own) = principal.environment {
        let own = state.environment(own).await?;
        // The same words whether or not there is such an environment: its name is not for other environments' keys.
        if query.get(ENVIRONMENT).is_some_and(|name| name != own.name) {
            return Err(Problem::query(ENVIRONMENT, "The key belongs to another environment."));
        }
        return Ok(Some(own));
    }
    match query.get(ENVIRONMENT) {
        Some(name) => {
            let found = state.environment_named(name).await?;
            found.map(Some).ok_or_else(|| Problem::query(ENVIRONMENT, "There is no such environment."))
        }
        None if operation.place == Place::Environment && principal.is_admin() => {
            Err(Problem::new(&codes::ENVIRONMENT_REQUIRED, "Add `?environment=<name>`: this key belongs to none."))
        }
        None => Ok(None),
    }
}

fn permit(operation: &Operation, principal: &Principal, environment: Option<&Environment>) -> Result<(), Problem> {
    let Some(action) = operation.action else { return Ok(()) };
    authorize(principal, action, environment.map_or(Resource::Host, |environment| Resource::In(environment.no)))
}

async fn path(parts: &mut Parts) -> Result<Vec<(String, String)>, Problem> {
    let params = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| Problem::not_found("path"))?;
    Ok(params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// Runs a call as a task of its own: a caller that leaves cancels nothing, and a panic ends in a 500.
async fn run(call: Call) -> Result<Answer, Problem> {
    match tokio::spawn(idempotency::run(call)).await {
        Ok(result) => result,
        Err(error) => Err(Problem::internal(&format_args!("an operation did not end: {error}"))),
    }
}

fn request_id(state: &ApiState, headers: &HeaderMap) -> Arc<str> {
    let given = headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let fits = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    match given.filter(fits) {
        Some(id) => id.into(),
        None => format!("req_{:032x}", u128::from_be_bytes(state.random_bytes())).into(),
    }
}

fn with_id(answer: Answer, request_id: &str) -> Response {
    let mut response = answer.into_response();
    if let Ok(value) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert(REQUEST_ID.clone(), value);
    }
    response
}

/// One line a request. Paths are templates: ids of customers and query strings stay out of logs and labels.
fn record(operation: &Operation, answer: &Answer, who: &str, request_id: &str, ms: u64) {
    let (id, status) = (operation.id, answer.status);
    tracing::info!(target: "railhead::access", operation = id, status, ms, key = who, request_id, "request");
    let labels = [("operation", id.to_owned()), ("status", status.to_string())];
    metrics::counter!("railhead_api_requests_total", &labels).increment(1);
    metrics::histogram!("railhead_api_request_seconds", "operation" => id).record(ms as f64 / 1_000.0);
}
