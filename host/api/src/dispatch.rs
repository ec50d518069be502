//! The way of a request: id, key, permission, body, operation, log.

use crate::answer::Answer;
use crate::auth;
use crate::call::Call;
use crate::operation::Operation;
use crate::problem::Problem;
use crate::query::Query;
use crate::state::ApiState;
use crate::{body, idempotency};
use axum::extract::{FromRequestParts as _, RawPathParams, Request};
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
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
    let principal = match auth::caller(state, operation, &parts.headers).await {
        Ok(principal) => principal,
        Err(problem) => return (String::new(), Err(problem)),
    };
    let who = principal.to_string();
    let result = async {
        let query = Query::parse(parts.uri.query().unwrap_or_default(), operation.query)?;
        let permit = auth::admit(state, operation, principal, &query).await?;
        let path = path(&mut parts).await?;
        body::check_type(operation, &parts.headers)?;
        let body = body::read(state, operation, &parts.headers, body).await?;
        let (headers, request_id) = (parts.headers, Arc::clone(request_id));
        run(Call { state: state.clone(), permit, path, query, headers, body, request_id }).await
    };
    (who, result.await)
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
