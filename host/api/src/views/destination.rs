//! Destinations and connectors from outside.

use crate::connectors::Connectors;
use railhead_model::manifest::CredentialField;
use railhead_model::{DestinationState, Manifest};
use railhead_store::directory::{Credential, Destination, Tenant};
use railhead_store::work::Health;
use serde_json::{Map, Value, json};

/// How a destination stands, in a word. `is_open`: its breaker, as the engine runs it.
#[must_use]
pub const fn state(state: DestinationState, is_open: bool) -> &'static str {
    match state {
        DestinationState::Active if is_open => "failing",
        DestinationState::Active => "active",
        DestinationState::Paused => "paused",
        DestinationState::Disabled => "disabled",
    }
}

/// A destination. `health` is its breaker as the engine runs it, where that is newer than the stored one.
#[must_use]
pub fn destination(connectors: &Connectors, tenant: &Tenant, own: &Destination, health: Option<Health>) -> Value {
    let manifest = connectors.get(&own.spec.connector).map(|connector| connector.manifest.as_ref());
    let (spec, health) = (&own.spec, health.unwrap_or_else(|| own.health.clone()));
    let failing = own.state == DestinationState::Active && health.open;
    let reason = own.state_reason.clone().or_else(|| {
        let reason = health.reason.as_ref().filter(|_| failing)?;
        Some(format!("{}: {}", reason.code, reason.message))
    });
    json!({
        "id": own.id,
        "tenant": tenant.id,
        "name": spec.name,
        "connector": spec.connector,
        "connector_version": own.connector_version,
        "target": manifest.map(|manifest| target(manifest, own)),
        "config": spec.config,
        "credentials": credentials(&own.credentials),
        "event_types": spec.event_types,
        "filter": spec.filter,
        "fields": spec.fields.as_ref().map(|fields| json!({"include": fields.include, "exclude": fields.exclude})),
        "transform": spec.transform,
        "retry": spec.retry,
        "jitter": spec.jitter,
        "timeout_ms": spec.timeout_ms,
        "rate_limit": spec.rate_limit,
        "concurrency": spec.concurrency,
        "batch": spec.batch,
        "ordering": spec.ordering,
        "state": state(own.state, health.open),
        "state_reason": reason,
        "health": {
            "failing_since": health.failing_since,
            "consecutive_failures": health.failures,
            "next_probe_at": health.next_probe.filter(|_| health.open),
            "last_delivered_at": health.last_delivered,
        },
        "metadata": spec.metadata,
        "effective": {
            "config": spec.config,
            "event_types": if spec.event_types.is_empty() { json!(["*"]) } else { json!(spec.event_types) },
            "retry": spec.retry,
            "jitter": spec.jitter,
            "ordering": spec.ordering,
            "timeout_ms": spec.timeout_ms,
            "concurrency": spec.concurrency,
            "rate_limit": spec.rate_limit,
            "batch": spec.batch.or_else(|| manifest.and_then(|manifest| manifest.batch).map(|bounds| bounds.default)),
        },
        "created_at": own.created_at,
        "updated_at": own.updated_at,
    })
}

/// Masks by field; the value that a rotation replaces stands beside under `previous`.
fn credentials(all: &[Credential]) -> Value {
    let mut fields: Map<String, Value> = Map::new();
    for one in all {
        let mut shown = one.public.clone();
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("version".to_owned(), json!(one.version));
            shown.insert("set_at".to_owned(), json!(one.set_at));
            if let Some(at) = one.expires_at {
                shown.insert("expires_at".to_owned(), json!(at));
            }
        }
        match fields.get_mut(&one.field).and_then(Value::as_object_mut) {
            // Newest first: a second one is the older.
            Some(newest) => _ = newest.insert("previous".to_owned(), shown),
            None => _ = fields.insert(one.field.clone(), shown),
        }
    }
    Value::Object(fields)
}

/// One line for lists, from the manifest's template: `{/url}` or `{config.url}` stand for configuration.
fn target(manifest: &Manifest, own: &Destination) -> String {
    let config = Value::Object(own.spec.config.clone());
    let mut line = String::new();
    let mut rest = manifest.target.as_str();
    while let Some((before, (name, after))) = rest.split_once('{').and_then(|(a, b)| Some((a, b.split_once('}')?))) {
        line.push_str(before);
        let pointer = match name.strip_prefix("config.") {
            Some(path) => format!("/{}", path.replace('.', "/")),
            None => name.to_owned(),
        };
        match config.pointer(&pointer) {
            Some(Value::String(text)) => line.push_str(text),
            Some(value) => line.push_str(&value.to_string()),
            None => {}
        }
        rest = after;
    }
    line.push_str(rest);
    if line.is_empty() {
        // The place itself is a secret: its mask says as much as may be said.
        let secret = own.credentials.iter().find(|credential| credential.field == "url");
        line = secret.and_then(|one| one.public.get("mask")?.as_str()).unwrap_or_default().to_owned();
    }
    line.chars().take(200).collect()
}

/// A connector. `is_set`: whether the operator gave a value for a field of theirs.
#[must_use]
pub fn connector(manifest: &Manifest, enabled: bool, is_set: impl Fn(&str) -> bool) -> Value {
    let field = |field: &CredentialField| {
        let view = json!(field);
        if field.operator { super::with_member(view, "set", is_set(&field.name).into()) } else { view }
    };
    json!({
        "name": manifest.name,
        "version": manifest.version,
        "label": manifest.label,
        "icon": manifest.icon,
        "category": manifest.category,
        "setup": manifest.setup,
        "least_grant": manifest.least_grant,
        "enabled": enabled,
        "config_schema": manifest.config_schema,
        "credentials": manifest.credentials.iter().map(field).collect::<Vec<_>>(),
        "batch": manifest.batch,
        "manifest": manifest,
    })
}
