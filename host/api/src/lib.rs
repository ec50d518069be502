//! The public API: `/v1` over axum, its OpenAPI document, its help pages.
//!
//! Every operation is one value ([`operation::Operation`]) in a file of its own under `ops/`; [`ops::ALL`] lists them.
//! [`dispatch`] is the way that every request takes: id, key, permission, body, operation, log.

pub mod answer;
pub mod auth;
mod body;
pub mod call;
pub mod codes;
pub mod connectors;
mod destination;
mod dispatch;
pub mod docs;
pub mod early;
mod idempotency;
mod json;
pub mod kept;
pub mod keys;
mod names;
pub mod openapi;
pub mod operation;
pub mod ops;
mod page;
mod precondition;
pub mod problem;
mod publish;
mod query;
mod settings;
pub mod state;
#[cfg(test)]
mod tests;
mod views;

pub use keys::SettingsKey;
pub use state::{ApiState, Options, StartError};

use axum::Router;
use axum::extract::Request;
use axum::routing::{MethodFilter, MethodRouter, on};
use operation::{Operation, Verb};
use problem::Problem;
use std::collections::BTreeMap;

/// All routes.
pub fn router(state: ApiState) -> Router {
    let mut paths: BTreeMap<&str, MethodRouter> = BTreeMap::new();
    for operation in ops::ALL {
        let routed = paths.remove(operation.path).unwrap_or_default();
        paths.insert(operation.path, route(routed, &state, operation));
    }
    let router = paths.into_iter().fold(Router::new(), |router, (path, methods)| router.route(path, methods));
    let (missing, refused) = (state.clone(), state);
    router
        .fallback(move |request: Request| dispatch::refuse(missing.clone(), Problem::not_found("path"), request))
        .method_not_allowed_fallback(move |request: Request| {
            let problem = Problem::new(&codes::METHOD_NOT_ALLOWED, "This path does not take this method.");
            dispatch::refuse(refused.clone(), problem, request)
        })
}

fn route(routed: MethodRouter, state: &ApiState, operation: &'static Operation) -> MethodRouter {
    let filter = match operation.verb {
        Verb::Get => MethodFilter::GET,
        Verb::Post => MethodFilter::POST,
        Verb::Put => MethodFilter::PUT,
        Verb::Patch => MethodFilter::PATCH,
        Verb::Delete => MethodFilter::DELETE,
    };
    let state = state.clone();
    routed.merge(on(filter, move |request: Request| dispatch::dispatch(state.clone(), operation, request)))
}
