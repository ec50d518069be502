//! What objects look like from outside.

mod destination;
mod event;
mod wire;

pub use destination::{connector, destination, state};
pub use event::{delivery, event, outcomes};
pub use wire::{Wire, attempt, attempt_summary};

use crate::settings::Settings;
use railhead_model::DestinationNo;
use railhead_store::directory::{Destination, Environment, EventType, Key, Tenant};
use railhead_store::jobs::{JobState, Replay};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Destinations' ids by number, for rows that name them by number. Deleted ones are missing, and show as null.
pub type Names = HashMap<DestinationNo, String>;

/// Names of these destinations.
pub fn names<'a>(destinations: impl IntoIterator<Item = &'a Destination>) -> Names {
    destinations.into_iter().map(|one| (one.no, one.id.to_string())).collect()
}

/// A view with one member more.
#[must_use]
pub fn with_member(mut view: Value, name: &str, value: Value) -> Value {
    if let Some(members) = view.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    view
}

/// A key, without its secret; `environment` is its environment's name.
#[must_use]
pub fn key(key: &Key, environment: Option<&str>) -> Value {
    json!({
        "id": key.id,
        "environment": environment,
        "name": key.name,
        "scopes": key.scopes,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked": key.revoked,
    })
}

/// An environment: what was set, and what is in force.
#[must_use]
pub fn environment(environment: &Environment, settings: &Settings) -> Value {
    json!({
        "name": environment.name,
        "defaults": settings.defaults,
        "limits": settings.limits,
        "connectors": settings.connectors,
        "create_tenants": settings.create_tenants,
        "effective": {
            "retry": settings.retry(),
            "jitter": settings.defaults.jitter.unwrap_or_default(),
            "timeout_ms": settings.defaults.timeout_ms
                .unwrap_or_else(railhead_model::destination::default_timeout_ms),
            "concurrency": settings.defaults.concurrency
                .unwrap_or_else(railhead_model::destination::default_concurrency),
            "rate_limit": settings.defaults.rate_limit,
            "limits": {
                "destinations": settings.limits.destinations.unwrap_or(crate::settings::MAX_DESTINATIONS),
                "payload_bytes": settings.limits.payload_bytes,
            },
        },
    })
}

/// A tenant. `external_id`: what its owner writes into trust policies of roles.
#[must_use]
pub fn tenant(tenant: &Tenant, external_id: &str) -> Value {
    json!({
        "id": tenant.id,
        "name": tenant.name,
        "metadata": object(&tenant.metadata),
        "limits": object(&tenant.limits),
        "external_id": external_id,
        "created_at": tenant.created_at,
        "updated_at": tenant.updated_at,
    })
}

fn object(value: &Value) -> Value {
    if value.is_object() { value.clone() } else { json!({}) }
}

/// An event type.
#[must_use]
pub fn event_type(row: &EventType) -> Value {
    let mut view = json!({"type": row.name});
    if let (Some(view), Some(body)) = (view.as_object_mut(), row.body.as_object()) {
        view.extend(body.iter().map(|(name, value)| (name.clone(), value.clone())));
        view.insert("updated_at".to_owned(), json!(row.updated_at));
    }
    view
}

/// A replay and how far it is.
#[must_use]
pub fn replay(replay: &Replay, names: &Names) -> Value {
    let filter = &replay.filter;
    let state = match replay.state {
        JobState::Running => "running",
        JobState::Completed => "completed",
        JobState::Cancelled => "cancelled",
    };
    json!({
        "id": replay.id,
        "state": state,
        "filter": {
            "destination": filter.destination.map(|no| names.get(&no)),
            "state": filter.states,
            "event_type": filter.event_type,
            "event": filter.event,
            "since": filter.since,
            "until": filter.until,
            "code": filter.code,
        },
        "progress": {"examined": replay.examined, "created": replay.created},
        "created_at": replay.created_at,
        "ended_at": replay.ended_at,
    })
}
