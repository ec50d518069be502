//! Answers as the API gives them.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// As its type.
pub fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a sample fits its view")
}

pub const EVENT: &str = "evt_0197a3b2c4d57e8f9a0b1c2d3e4f5061";
const AT: &str = "2026-11-23T15:04:00.000Z";

pub fn tenant() -> Value {
    json!({"id": "acme", "name": "Acme Ltd", "metadata": {}, "limits": {}, "created_at": AT, "updated_at": AT})
}

pub fn destination() -> Value {
    json!({
        "id": "crm", "tenant": "acme", "name": null, "connector": "webhook", "connector_version": "0.1.0",
        "target": "https://crm.example/hooks",
        "config": {"url": "https://crm.example/hooks", "mode": "standard", "headers": {"x-shop": "eu-1"}},
        "credentials": {"signing_secret": {"mask": "whsec_…3fa9", "version": 2, "set_at": AT,
            "previous": {"mask": "whsec_…11aa", "version": 1, "set_at": AT, "expires_at": AT}}},
        "event_types": ["order.*"], "filter": {"data": {"total": [{"numeric": [">", 20000]}]}},
        "fields": {"include": ["/order"], "exclude": ["/order/note"]}, "transform": null,
        "retry": {"schedule_ms": [5000]}, "jitter": "equal", "timeout_ms": 15000, "rate_limit": null, "concurrency": 32,
        "batch": null, "ordering": "none", "state": "failing", "state_reason": "http-503: The endpoint answered 503.",
        "health": {"failing_since": AT, "consecutive_failures": 12, "next_probe_at": "2026-11-23T15:04:35Z",
            "last_delivered_at": AT},
        "metadata": {"owner": "sales"},
        "effective": {"config": {}, "event_types": ["order.*"], "retry": {"schedule_ms": [5000, 30000, 120000, 600000,
            1800000, 3600000, 7200000, 14400000, 28800000, 28800000]}, "timeout_ms": 15000, "concurrency": 32,
            "rate_limit": {"per_second": 50.0, "burst": 100},
            "batch": {"max_events": 100, "max_bytes": 1048576, "linger_ms": 250}},
        "waiting": 1204, "created_at": AT, "updated_at": AT,
    })
}

pub fn delivery() -> Value {
    json!({
        "id": "dlv_Crm1", "event": EVENT, "event_id": "ord-1", "event_type": "order.created", "destination": "crm",
        "state": "dead", "code": "http-422", "attempts": 2, "attempts_counted": 2, "origin": "publish",
        "previous": "dlv_Crm0", "replay": null, "created_at": AT, "next_attempt_at": null,
        "ended_at": "2026-11-23T15:04:01.250Z",
        "last_attempt": {"id": "att_1", "delivery": "dlv_Crm1", "n": 2, "started_at": AT, "duration_ms": 12,
            "outcome": "permanent", "code": "http-422", "message": "The endpoint answered 422.", "status": "422",
            "connector_version": "0.1.0", "config_revision": 3},
    })
}

pub fn attempt() -> Value {
    json!({
        "id": "att_1", "delivery": "dlv_Crm1", "n": 1, "started_at": "2026-11-23T15:04:00.013Z", "duration_ms": 12,
        "outcome": "permanent", "code": "http-422", "message": "The endpoint answered 422.", "status": "422",
        "connector_version": "0.1.0", "config_revision": 3,
        "request": {"method": "POST", "url": "https://crm.example/hooks", "headers": [
            {"name": "webhook-id", "value": "ord-1"}, {"name": "authorization", "value": "Bearer ****"}],
            "body": "{\"type\":\"order.created\",\"data\":{\"order\":1}}", "body_encoding": "text",
            "body_complete": true, "body_bytes": 44},
        "response": {"status": 422, "headers": [{"name": "content-type", "value": "application/json"}],
            "body": "{\"error\":\"currency JPY is not supported\"}", "body_encoding": "text", "body_complete": false,
            "body_bytes": 41},
        "failure": null,
        "timings": {"dns_us": 900, "connect_us": 2100, "head_us": 11000, "body_us": 90, "total_us": 11200},
        "earlier_exchanges": [],
    })
}

pub fn failed_attempt() -> Value {
    let mut attempt = attempt();
    attempt["n"] = 2.into();
    attempt["response"] = Value::Null;
    attempt["failure"] =
        json!({"code": "connect-refused", "message": "crm.example refused the connection: nothing listens there."});
    attempt["earlier_exchanges"] = json!([{"request": null, "response": null, "failure": null, "timings": null}]);
    attempt
}

pub fn event() -> Value {
    let place = |destination: &str, state: &str, reason: Value, delivery: Value| {
        json!({"destination": destination, "state": state, "reason": reason, "delivery": delivery, "attempts": 1,
            "next_attempt_at": null, "ended_at": "2026-11-23T15:04:01.250Z",
            "deliveries": if delivery.is_null() { json!([]) } else {
                json!([{"id": delivery, "state": state, "origin": "publish", "code": null, "ended_at": AT}]) }})
    };
    json!({
        "uid": EVENT, "id": "ord-1", "type": "order.created", "source": "/shop/eu-1", "time": AT, "subject": "order-1",
        "datacontenttype": "application/json", "attributes": {"traceid": "abc", "n": 7}, "accepted_at": AT,
        "payload_bytes": 512, "origin": "publish", "tenant": "acme",
        "destinations": [
            place("crm", "dead", json!("http-422"), json!("dlv_Crm1")),
            place("billing", "filtered", json!("pattern"), Value::Null),
            place("old", "skipped", json!("disabled"), Value::Null),
        ],
    })
}

pub fn overview() -> Value {
    let states = json!({"active": 3, "failing": 1, "paused": 0, "disabled": 1});
    let recent = json!({"pending": 0, "retrying": 20, "delivered": 164, "dead": 16, "expired": 0, "cancelled": 0});
    json!({
        "environment": "live", "at": AT, "complete": false, "destinations": states, "waiting": 1204, "recent": recent,
        "tenants": [{"id": "acme", "name": "Acme Ltd", "destinations": states, "waiting": 1204, "recent": recent,
            "last_event_at": AT}],
        "attention": [destination()],
        "dead": [{"tenant": "acme", "delivery": delivery()}],
    })
}
