//! Schemas of bodies. A test holds every example's answer against them.

use serde_json::{Value, json};

fn nullable(kind: &str) -> Value {
    json!({"type": [kind, "null"]})
}

fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

fn maybe_time() -> Value {
    json!({"type": ["string", "null"], "format": "date-time"})
}

fn list_of(schema: &str) -> Value {
    json!({
        "type": "object",
        "required": ["data", "next"],
        "additionalProperties": false,
        "properties": {
            "data": {"type": "array", "items": {"$ref": format!("#/components/schemas/{schema}")}},
            "next": {"type": ["string", "null"], "description": "Pass it as `cursor` for the next page."},
        },
    })
}

/// An object whose listed members are all there, and no others.
fn exact(properties: Value) -> Value {
    let required: Vec<_> = properties.as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default();
    json!({"type": "object", "required": required, "additionalProperties": false, "properties": properties})
}

/// An object of a request: nothing but the listed members.
fn input(required: &[&str], properties: Value) -> Value {
    json!({"type": "object", "required": required, "additionalProperties": false, "properties": properties})
}

fn notes() -> Value {
    json!({"type": "object", "additionalProperties": {"type": "string"}})
}

/// All schemas by name.
#[must_use]
pub fn all() -> Value {
    let mut all = json!({
        "Problem": problem(),
        "Health": exact(json!({"status": {"const": "ok"}})),
        "NotReady": exact(json!({
            "status": {"const": "not-ready"},
            "code": {"type": "string", "description": "starting, migrating, loading, store-unreachable, lease-expired, \
                fenced, draining"},
            "detail": {"type": "string", "description": "For people."},
        })),
        "TenantList": list_of("Tenant"),
        "DestinationList": list_of("Destination"),
        "EventList": list_of("EventSummary"),
        "DeliveryList": list_of("Delivery"),
        "AttemptList": list_of("Attempt"),
        "ReplayList": list_of("Replay"),
        "EventTypeList": list_of("EventType"),
        "ConnectorList": list_of("Connector"),
        "KeyList": list_of("Key"),
        "EnvironmentList": list_of("Environment"),
        "TenantEventList": list_of("TenantEvent"),
        "TenantDeliveryList": list_of("TenantDelivery"),
    });
    for part in
        [tenants(), destinations(), publish(), events(), deliveries(), catalogue(), keys(), environments(), overview()]
    {
        if let (Some(all), Value::Object(part)) = (all.as_object_mut(), part) {
            all.extend(part);
        }
    }
    for (of, name) in [("EventSummary", "TenantEvent"), ("Delivery", "TenantDelivery")] {
        all[name] = of_tenant(&all[of]);
    }
    all
}

/// The same object with its tenant's id.
fn of_tenant(schema: &Value) -> Value {
    exact(with(schema["properties"].clone(), json!({"tenant": {"type": "string"}})))
}

fn problem() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            "type": {"type": "string", "description": "`/problems/<code>`, a page of this host."},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "code": {"type": "string", "enum": super::code_names()},
            "request_id": {"type": "string"},
            "errors": {"type": "array", "items": exact(json!({
                "pointer": {"type": "string", "description": "JSON Pointer into the body; `?name` for a query parameter."},
                "code": {"type": "string"},
                "detail": {"type": "string"},
            }))},
        },
    })
}

/// The tenant's; of a destination only where its connector uses the operator's keys.
fn external_id(kind: Value) -> Value {
    json!({"type": kind, "description": "For the trust policy (`sts:ExternalId`) of a role that this host is to assume for \
        the tenant. Random; it never changes while the tenant is there."})
}

fn tenants() -> Value {
    let limits =
        json!({"type": "object", "properties": {"destinations": {"type": "integer"}}, "additionalProperties": false});
    json!({
        "TenantInput": input(&[], json!({"name": nullable("string"), "metadata": notes(), "limits": limits})),
        "Tenant": exact(json!({
            "id": {"type": "string"},
            "name": nullable("string"),
            "metadata": {"type": "object"},
            "limits": {"type": "object"},
            "external_id": external_id("string".into()),
            "created_at": time(),
            "updated_at": time(),
        })),
    })
}

fn retry() -> Value {
    json!({"oneOf": [
        input(&["schedule_ms"], json!({"schedule_ms": {"type": "array", "items": {"type": "integer"}}})),
        input(&["initial_ms", "factor", "max_ms", "window_ms"], json!({
            "initial_ms": {"type": "integer"}, "factor": {"type": "number"}, "max_ms": {"type": "integer"},
            "window_ms": {"type": "integer"},
        })),
    ]})
}

/// What an owner sets, with the types that come back.
fn settable() -> Value {
    json!({
        "name": nullable("string"),
        "connector": {"type": "string", "examples": ["webhook"]},
        "config": {"type": "object", "description": "Fits the connector's `config_schema`."},
        "event_types": {"type": "array", "items": {"type": "string"}, "description": "`order.*` is a prefix at any depth."},
        "filter": {"type": ["object", "null"], "description": "An event pattern over attributes and data."},
        "fields": {"type": ["object", "null"], "properties": {
            "include": {"type": "array", "items": {"type": "string"}},
            "exclude": {"type": "array", "items": {"type": "string"}},
        }},
        "transform": {"type": ["object", "null"], "description": "Not available in this version."},
        "retry": retry(),
        "jitter": {"enum": ["equal", "full", "none"]},
        "timeout_ms": {"type": "integer", "minimum": 1000, "maximum": 120_000},
        "rate_limit": {"type": ["object", "null"], "properties": {
            "per_second": {"type": "number"}, "burst": {"type": "integer"},
        }},
        "concurrency": {"type": "integer", "minimum": 1, "maximum": 1000},
        "batch": {"type": ["object", "null"], "properties": {
            "max_events": {"type": "integer"}, "max_bytes": {"type": "integer"}, "linger_ms": {"type": "integer"},
        }},
        "ordering": {"oneOf": [{"enum": ["none", "destination"]},
            input(&["key"], json!({"key": {"type": "string", "description": "JSON Pointer into the payload."}}))]},
        "metadata": notes(),
    })
}

fn with(mut properties: Value, more: Value) -> Value {
    if let (Some(properties), Value::Object(more)) = (properties.as_object_mut(), more) {
        properties.extend(more);
    }
    properties
}

fn destinations() -> Value {
    let written = json!({"credentials": {"type": "object",
        "description": "Plain values by field, an object for headers; null deletes, \"generate\" lets the host make one."}});
    let shown = with(
        settable(),
        json!({
            "id": {"type": "string"},
            "tenant": {"type": "string"},
            "connector_version": {"type": "string"},
            "target": nullable("string"),
            "external_id": external_id(json!(["string", "null"])),
            "credentials": {"type": "object", "additionalProperties": {"type": "object", "required": ["mask", "set_at", "version"]}},
            "state": {"enum": ["active", "paused", "failing", "disabled"]},
            "state_reason": nullable("string"),
            "health": {"type": "object"},
            "waiting": {"type": "integer", "minimum": 0},
            "effective": {"type": "object", "description": "What is in force, with all defaults."},
            "created_at": time(),
            "updated_at": time(),
        }),
    );
    let step = json!({"type": "object", "required": ["ok", "message"]});
    json!({
        "DestinationInput": input(&["connector"], with(settable(), written.clone())),
        "DestinationPatch": input(&[], with(settable(), written)),
        "Destination": exact(shown),
        "Check": exact(json!({"ok": {"type": "boolean"}, "steps": {"type": "array", "items": step}})),
        "Test": input(&[], json!({"event_type": {"type": "string"}, "event": {"$ref": "#/components/schemas/PlainEvent"}})),
        "Tested": exact(json!({"delivery": {"type": "string"}, "event": {"type": "string"},
            "attempt": {"type": ["object", "null"]}})),
        "CredentialInput": input(&[], json!({
            "value": {"type": ["string", "object"]},
            "overlap_ms": {"type": "integer", "minimum": 0},
        })),
        "Revealed": exact(json!({"field": {"type": "string"}, "value": {"type": "string"}, "values": {"type": "array"}})),
    })
}

fn publish() -> Value {
    let result = json!({"type": "object", "required": ["status"], "properties": {
        "uid": {"type": "string"},
        "id": {"type": "string"},
        "status": {"enum": ["accepted", "duplicate", "rejected"]},
        "deliveries": {"type": "integer"},
        "problem": {"$ref": "#/components/schemas/Problem"},
    }, "additionalProperties": false});
    let many = exact(json!({"events": {"type": "array", "items": result}}));
    json!({
        "PlainEvent": input(&["type"], json!({
            "tenant": {"type": "string"},
            "type": {"type": "string"},
            "data": {"description": "Any JSON; its bytes are kept exactly as they come."},
            "id": {"type": "string", "maxLength": 256},
            "time": time(),
            "source": {"type": "string"},
            "subject": {"type": "string"},
            "attributes": {"type": "object"},
            "data_base64": {"type": "string"},
            "datacontenttype": {"type": "string"},
        })),
        "CloudEvent": {"type": "object", "required": ["specversion", "id", "source", "type"]},
        "Publish": {"oneOf": [
            {"$ref": "#/components/schemas/PlainEvent"},
            {"$ref": "#/components/schemas/CloudEvent"},
            {"type": "array", "maxItems": 1000, "items": {"type": "object"}},
        ]},
        "PublishedMany": many,
        "Published": {"anyOf": [
            exact(json!({"uid": {"type": "string"}, "id": {"type": "string"},
                "status": {"enum": ["accepted", "duplicate"]}, "deliveries": {"type": "integer"}})),
            {"$ref": "#/components/schemas/PublishedMany"},
        ]},
    })
}

fn events() -> Value {
    let summary = json!({
        "uid": {"type": "string"},
        "id": {"type": "string"},
        "type": {"type": "string"},
        "source": {"type": "string"},
        "time": {"type": "string"},
        "subject": nullable("string"),
        "datacontenttype": {"type": "string"},
        "attributes": {"type": "object"},
        "accepted_at": time(),
        "payload_bytes": {"type": "integer"},
        "origin": {"enum": ["publish", "test"]},
    });
    let place = exact(json!({
        "destination": nullable("string"),
        "state": {"enum": ["pending", "retrying", "delivered", "dead", "expired", "cancelled", "filtered", "skipped"]},
        "reason": nullable("string"),
        "delivery": nullable("string"),
        "attempts": {"type": "integer"},
        "next_attempt_at": maybe_time(),
        "ended_at": maybe_time(),
        "deliveries": {"type": "array", "items": {"type": "object"}},
    }));
    json!({
        "EventSummary": exact(summary.clone()),
        "Event": exact(with(summary, json!({
            "tenant": {"type": "string"},
            "destinations": {"type": "array", "items": place},
        }))),
    })
}

fn attempt() -> Value {
    json!({
        "id": {"type": "string"},
        "delivery": {"type": "string"},
        "n": {"type": "integer"},
        "started_at": time(),
        "duration_ms": {"type": "integer"},
        "outcome": {"enum": ["delivered", "throttled", "transient", "uncertain", "permanent", "too_large", "misconfigured",
            "rejected_credentials", "untried"]},
        "code": {"type": "string"},
        "message": {"type": "string"},
        "status": nullable("string"),
        "connector_version": {"type": "string"},
        "config_revision": {"type": "integer"},
    })
}

fn deliveries() -> Value {
    json!({
        "Delivery": exact(json!({
            "id": {"type": "string"},
            "event": {"type": "string"},
            "event_id": {"type": "string"},
            "event_type": {"type": "string"},
            "destination": nullable("string"),
            "state": {"enum": ["pending", "retrying", "delivered", "dead", "expired", "cancelled"]},
            "code": nullable("string"),
            "attempts": {"type": "integer", "description": "Attempts made."},
            "attempts_counted": {"type": "integer", "description": "Attempts of the retry schedule used up."},
            "origin": {"enum": ["publish", "retry", "replay", "backfill", "test"]},
            "previous": nullable("string"),
            "replay": nullable("string"),
            "created_at": time(),
            "next_attempt_at": maybe_time(),
            "ended_at": maybe_time(),
            "last_attempt": {"oneOf": [{"type": "null"}, exact(attempt())]},
        })),
        "Attempt": exact(with(attempt(), json!({
            "request": nullable("object"),
            "response": nullable("object"),
            "failure": nullable("object"),
            "timings": nullable("object"),
            "earlier_exchanges": {"type": "array"},
        }))),
        "ReplayInput": input(&["filter"], json!({"filter": replay_filter()})),
        "Replay": exact(json!({
            "id": {"type": "string"},
            "state": {"enum": ["running", "completed", "cancelled"]},
            "filter": {"type": "object"},
            "progress": exact(json!({"examined": {"type": "integer"}, "created": {"type": "integer"}})),
            "created_at": time(),
            "ended_at": maybe_time(),
        })),
    })
}

fn replay_filter() -> Value {
    input(
        &[],
        json!({
            "destination": {"type": "string"},
            "state": {"type": ["string", "array"]},
            "event_type": {"type": "string"},
            "event": {"type": "string"},
            "since": time(),
            "until": time(),
            "code": {"type": "string"},
        }),
    )
}

fn catalogue() -> Value {
    let body = json!({
        "description": nullable("string"),
        "group": nullable("string"),
        "schema": {"type": ["object", "boolean", "null"]},
        "examples": {"type": "array"},
        "deprecated": {"type": "boolean"},
    });
    json!({
        "EventTypeInput": input(&[], body.clone()),
        "EventType": exact(with(body, json!({"type": {"type": "string"}, "updated_at": time()}))),
        "Connector": exact(json!({
            "name": {"type": "string"},
            "version": {"type": "string"},
            "label": {"type": "string"},
            "icon": {"type": "string"},
            "category": {"type": "string"},
            "setup": {"type": "string"},
            "least_grant": {"type": "string"},
            "enabled": {"type": "boolean"},
            "config_schema": {"type": "object"},
            "credentials": {"type": "array", "items": {"type": "object"}, "description": "Those with `operator` are the \
                operator's: nobody sets them here, and `set` says whether the host has them."},
            "batch": nullable("object"),
            "manifest": {"type": "object"},
        })),
    })
}

fn keys() -> Value {
    let key = json!({
        "id": {"type": "string"},
        "environment": nullable("string"),
        "name": {"type": "string"},
        "scopes": {"type": "array", "items": {"type": "string"}},
        "created_at": time(),
        "expires_at": maybe_time(),
        "revoked": {"type": "boolean"},
    });
    json!({
        "KeyInput": input(&["scopes"], json!({
            "name": {"type": "string"},
            "scopes": {"type": "array", "items": {"type": "string"}},
            "expires_at": time(),
        })),
        "Rotate": input(&[], json!({"overlap_ms": {"type": "integer", "minimum": 0}})),
        "Key": exact(key.clone()),
        "NewKey": exact(with(key, json!({"secret": {"type": "string"}}))),
    })
}

fn environments() -> Value {
    let parts = json!({
        "defaults": {"type": "object"},
        "limits": {"type": "object"},
        "connectors": {"type": "object"},
        "create_tenants": {"type": "boolean"},
    });
    json!({
        "EnvironmentPatch": input(&[], parts.clone()),
        "Environment": exact(with(parts, json!({"name": {"type": "string"}, "effective": {"type": "object"}}))),
    })
}

fn overview() -> Value {
    let number = || json!({"type": "integer", "minimum": 0});
    let states = exact(json!({"active": number(), "failing": number(), "paused": number(), "disabled": number()}));
    let recent = exact(json!({"pending": number(), "retrying": number(), "delivered": number(), "dead": number(),
        "expired": number(), "cancelled": number()}));
    let tenant = exact(json!({"id": {"type": "string"}, "name": nullable("string"), "destinations": states.clone(),
        "waiting": number(), "recent": recent.clone(), "last_event_at": maybe_time()}));
    json!({"Overview": exact(json!({
        "environment": {"type": "string"},
        "at": time(),
        "complete": {"type": "boolean", "description": "False: there are more tenants than were looked at."},
        "destinations": states,
        "waiting": number(),
        "recent": recent,
        "tenants": {"type": "array", "items": tenant, "description": "Worst first."},
        "attention": {"type": "array", "items": {"$ref": "#/components/schemas/Destination"},
            "description": "Destinations that are not active, or where a hundred deliveries wait, worst first."},
        "dead": {"type": "array", "description": "The newest dead letters.", "items":
            exact(json!({"tenant": {"type": "string"}, "delivery": {"$ref": "#/components/schemas/Delivery"}}))},
    }))})
}
