//! Bad input: each line is a request, and the status, code and pointer of its refusal.

use super::world::{ADMIN, LIVE, World};
use railhead_model::{JobId, Timestamp};
use railhead_store::Directory as _;
use railhead_store::history::DeliveryFilter;
use railhead_store::jobs::NewReplay;
use serde_json::{Value, json};

const DESTINATIONS: &str = "/v1/tenants/acme/destinations";

fn webhook(more: Value) -> Value {
    let mut body = json!({"connector": "webhook", "config": {"url": "https://e.example/x"}});
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

fn with_server(server: Value) -> Value {
    json!({"config": {"url": "https://x.example", "server": server}})
}

#[tokio::test]
async fn fields_of_a_destination() {
    let world = World::new().await;
    let many: Vec<_> = (0..101).collect();
    let table = [
        (json!({"url": "https://x.example"}), "/url", "unknown-field"),
        (json!({"connector": 7}), "/connector", "wrong-type"),
        (json!({"connector": "s3"}), "/connector", "unknown-connector"),
        (json!({"config": "x"}), "/config", "wrong-type"),
        (json!({"config": {"url": 7}}), "/config/url", "wrong-type"),
        (json!({"config": {"url": "ftp://x.example"}}), "/config/url", "invalid-value"),
        (json!({"config": {}}), "/config/url", "required"),
        (json!({"config": {"url": "https://x.example", "colour": 1}}), "/config/colour", "unknown-field"),
        (json!({"config": {"url": "https://x.example", "headers": {"a": 1}}}), "/config/headers/a", "wrong-type"),
        (json!({"config": {"url": "https://10.0.0.1/x"}}), "/config/url", "address-not-allowed"),
        (json!({"credentials": {"url": "https://10.0.0.1/x"}}), "/credentials/url", "address-not-allowed"),
        (with_server(json!({"host": "10.0.0.7", "port": 5432})), "/config/server/host", "address-not-allowed"),
        (with_server(json!({"host": "tcp://db.example", "port": 5432})), "/config/server/host", "invalid-value"),
        (with_server(json!({"host": "db.example"})), "/config/server/port", "invalid-value"),
        (with_server(json!({"host": "db.example", "port": 65536})), "/config/server/port", "invalid-value"),
        (json!({"credentials": {"password": "x"}}), "/credentials/password", "unknown-credential"),
        (json!({"credentials": {"bearer_token": 7}}), "/credentials/bearer_token", "wrong-type"),
        (json!({"credentials": {"bearer_token": "a\nb"}}), "/credentials/bearer_token", "invalid-value"),
        (json!({"credentials": {"signing_secret": "whsec_%"}}), "/credentials/signing_secret", "invalid-value"),
        (
            json!({"credentials": {"bearer_token": "x".repeat(9_000), "headers": {"x-a": "y".repeat(9_000)}}}),
            "/credentials",
            "credentials-too-large",
        ),
        (json!({"event_types": ["ok", "a*"]}), "/event_types/1", "invalid-pattern"),
        (json!({"filter": []}), "/filter", "invalid-pattern"),
        (json!({"fields": {"include": ["a"]}}), "/fields/include/0", "invalid-value"),
        (json!({"fields": {"only": []}}), "/fields/only", "unknown-field"),
        (json!({"transform": {"id": "trf_1", "version": 1}}), "/transform", "not-available"),
        (json!({"retry": {"schedule_ms": [1, 700_000_000]}}), "/retry/schedule_ms/1", "invalid-value"),
        (json!({"retry": {"schedule_ms": many}}), "/retry/schedule_ms", "invalid-value"),
        (json!({"retry": {"schedule_ms": ["x"]}}), "/retry/schedule_ms/0", "wrong-type"),
        (json!({"retry": {"initial_ms": 1}}), "/retry/factor", "required"),
        (
            json!({"retry": {"initial_ms": 1, "factor": 0.5, "max_ms": 9, "window_ms": 9}}),
            "/retry/factor",
            "invalid-value",
        ),
        (json!({"jitter": "some"}), "/jitter", "invalid-value"),
        (json!({"timeout_ms": 999}), "/timeout_ms", "invalid-value"),
        (json!({"timeout_ms": 120_001}), "/timeout_ms", "invalid-value"),
        (json!({"rate_limit": {"per_second": 0}}), "/rate_limit/per_second", "invalid-value"),
        (json!({"rate_limit": [1, 1]}), "/rate_limit", "wrong-type"),
        (json!({"retry": [1, 2, 3, 4]}), "/retry", "wrong-type"),
        (json!({"rate_limit": {"burst": 1}}), "/rate_limit/per_second", "required"),
        (json!({"concurrency": 0}), "/concurrency", "invalid-value"),
        (json!({"concurrency": -1}), "/concurrency", "invalid-value"),
        (json!({"batch": {"max_events": 2, "max_bytes": 2, "linger_ms": 2}}), "/batch", "invalid-value"),
        (json!({"ordering": {"key": "order"}}), "/ordering/key", "invalid-value"),
        (json!({"ordering": "random"}), "/ordering", "invalid-value"),
        (json!({"metadata": {"a": 1}}), "/metadata/a", "wrong-type"),
        (json!({"metadata": {"a": "x\0"}}), "/metadata/a", "invalid-value"),
        (json!({"metadata": {"a\0": "x"}}), "/metadata", "invalid-value"),
        (json!({"filter": {"data": {"a/b": ["\0"]}}}), "/filter/data/a~1b/0", "invalid-value"),
        (json!({"name": "x".repeat(201)}), "/name", "invalid-value"),
        (json!({"state": "paused"}), "/state", "unknown-field"),
    ];
    for (more, pointer, code) in table {
        let problem = world.post(DESTINATIONS, webhook(more.clone())).await.problem(422, "invalid-input");
        let found: Vec<_> = problem["errors"].as_array().expect("errors").iter().collect();
        let named = found.iter().any(|error| error["pointer"] == pointer && error["code"] == code);
        assert!(named && found.len() == 1, "{more}: {problem:#}");
    }
    let listed = world.get(DESTINATIONS).await.expect(200);
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1), "nothing was made");
}

#[tokio::test]
async fn fields_of_an_event() {
    let world = World::new().await;
    let table = [
        (json!({"tenant": "acme", "type": "t"}), "/data", "required"),
        (json!({"tenant": "acme", "data": 1}), "/type", "required"),
        (json!({"type": "t", "data": 1}), "/tenant", "required"),
        (json!({"tenant": "a b", "type": "t", "data": 1}), "/tenant", "invalid-value"),
        (json!({"tenant": 7, "type": "t", "data": 1}), "/tenant", "wrong-type"),
        (json!({"tenant": "acme", "type": "t", "data": 1, "dta": 1}), "/dta", "unknown-field"),
        (json!({"tenant": "acme", "type": "a b", "data": 1}), "/type", "invalid-value"),
        (json!({"tenant": "acme", "type": 1, "data": 1}), "/type", "wrong-type"),
        (json!({"tenant": "acme", "type": "t", "data": 1, "id": ""}), "/id", "invalid-value"),
        (json!({"tenant": "acme", "type": "t", "data": 1, "id": "x".repeat(257)}), "/id", "invalid-value"),
        (json!({"tenant": "acme", "type": "t", "data": 1, "time": "now"}), "/time", "invalid-value"),
        (json!({"tenant": "acme", "type": "t", "data": 1, "data_base64": "AA=="}), "/data_base64", "invalid-value"),
        (json!({"tenant": "acme", "type": "t", "data_base64": "%"}), "/data_base64", "invalid-value"),
        (json!({"tenant": "acme", "type": "t", "data": 1, "attributes": {"A": "x"}}), "/attributes/A", "invalid-value"),
        (json!({"tenant": "acme", "type": "t", "data": 1, "attributes": {"a": []}}), "/attributes/a", "invalid-value"),
        (json!({"tenant": "acme", "type": "t", "data": 1, "attributes": 1}), "/attributes", "wrong-type"),
    ];
    for (event, pointer, code) in table {
        let problem = world.post("/v1/events", event.clone()).await.problem(422, "invalid-event");
        let errors = problem["errors"].as_array().expect("errors");
        let named = errors.iter().any(|error| error["pointer"] == pointer && error["code"] == code);
        assert!(named, "{event}: {problem:#}");
    }
    for (missing, pointer) in [("specversion", "/specversion"), ("id", "/id"), ("source", "/source"), ("type", "/type")]
    {
        let mut event = json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "tenant": "acme"});
        event.as_object_mut().expect("an object").remove(missing);
        let headers = [("content-type", "application/cloudevents+json")];
        let answer = world.send(LIVE, "post", "/v1/events", &headers, &event.to_string()).await;
        let problem = answer.problem(422, "invalid-event");
        assert_eq!(
            (&problem["errors"][0]["pointer"], &problem["errors"][0]["code"]),
            (&json!(pointer), &json!("required"))
        );
    }
}

#[tokio::test]
async fn other_requests() {
    let world = World::new().await;
    let json = "application/json";
    let deep = format!("{{\"type\":\"t\",\"data\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let table = [
        ("post", "/v1/events", json, "{", 400, "invalid-json", ""),
        ("post", "/v1/events", json, "", 400, "invalid-json", ""),
        ("post", "/v1/events", json, "{\"a\":\u{1}}", 400, "invalid-json", ""),
        ("post", "/v1/events?tenant=acme", json, &deep, 400, "too-deep", ""),
        ("post", "/v1/events", "text/plain", "x", 415, "unsupported-media-type", ""),
        ("post", "/v1/events", "application/cloudevents-batch+json", "{}", 422, "invalid-input", ""),
        ("post", "/v1/events?tennant=acme", json, "{}", 400, "invalid-query", "?tennant"),
        (
            "post",
            "/v1/events",
            json,
            "{\"tenant\":\"nobody\",\"type\":\"t\",\"data\":1}",
            404,
            "unknown-tenant",
            "/tenant",
        ),
        ("post", DESTINATIONS, json, "[]", 422, "invalid-input", ""),
        ("post", DESTINATIONS, json, "{\"connector\":", 400, "invalid-json", ""),
        ("post", DESTINATIONS, "text/xml", "<a/>", 415, "unsupported-media-type", ""),
        ("put", "/v1/tenants/_other", json, "{}", 422, "invalid-input", ""),
        ("put", "/v1/tenants/a%20b", json, "{}", 422, "invalid-input", ""),
        ("put", "/v1/tenants/x", json, "{\"colour\":1}", 422, "invalid-input", "/colour"),
        (
            "put",
            "/v1/tenants/x",
            json,
            "{\"limits\":{\"destinations\":-1}}",
            422,
            "invalid-input",
            "/limits/destinations",
        ),
        ("put", "/v1/tenants/x", json, "{\"metadata\":{\"a\":\"\\u0000\"}}", 422, "invalid-input", "/metadata/a"),
        (
            "post",
            "/v1/tenants/acme/replays",
            json,
            "{\"filter\":{\"code\":\"\\u0000\"}}",
            422,
            "invalid-input",
            "/filter/code",
        ),
        ("patch", "/v1/tenants/nobody", json, "{}", 404, "unknown-tenant", ""),
        ("put", "/v1/event-types/a%20b", json, "{}", 422, "invalid-input", ""),
        ("put", "/v1/event-types/a", json, "{\"schema\":1}", 422, "invalid-input", "/schema"),
        ("put", "/v1/event-types/a", json, "{\"schema\":{\"type\":\"zz\"}}", 422, "invalid-input", "/schema"),
        ("get", "/v1/tenants/acme/events?limit=0", json, "", 400, "invalid-query", "?limit"),
        ("get", "/v1/tenants/acme/events?limit=201", json, "", 400, "invalid-query", "?limit"),
        ("get", "/v1/tenants/acme/events?since=now", json, "", 400, "invalid-query", "?since"),
        ("get", "/v1/tenants/acme/events?cursor=abc", json, "", 400, "bad-cursor", ""),
        ("get", "/v1/tenants/acme/deliveries?state=lost", json, "", 400, "invalid-query", "?state"),
        ("get", "/v1/tenants/acme/deliveries?limit=1&limit=2", json, "", 400, "invalid-query", "?limit"),
        ("get", "/v1/tenants/acme/deliveries/dlv_x", json, "", 404, "not-found", ""),
        ("get", "/v1/tenants/acme/events/nope", json, "", 404, "not-found", ""),
        ("get", "/v1/connectors/nope", json, "", 404, "not-found", ""),
        ("post", "/v1/tenants/acme/replays", json, "{}", 422, "invalid-input", "/filter"),
        (
            "post",
            "/v1/tenants/acme/replays",
            json,
            "{\"filter\":{\"state\":\"pending\"}}",
            422,
            "invalid-input",
            "/filter/state",
        ),
        (
            "post",
            "/v1/tenants/acme/replays",
            json,
            "{\"filter\":{\"destination\":\"x\"}}",
            422,
            "invalid-input",
            "/filter/destination",
        ),
        ("post", "/v1/keys", json, "{\"scopes\":[]}", 422, "invalid-input", "/scopes"),
        ("post", "/v1/keys", json, "{\"scopes\":[\"all\"]}", 422, "invalid-input", "/scopes/0"),
        (
            "post",
            "/v1/keys",
            json,
            "{\"scopes\":[\"*\"],\"expires_at\":\"2001-01-01T00:00:00Z\"}",
            422,
            "invalid-input",
            "/expires_at",
        ),
        ("get", "/v1/nowhere", json, "", 404, "not-found", ""),
    ];
    for (verb, path, content_type, body, status, code, pointer) in table {
        let answer = world.send(LIVE, verb, path, &[("content-type", content_type)], body).await;
        let problem = answer.problem(status, code);
        let first = problem["errors"][0]["pointer"].as_str().unwrap_or_default();
        assert_eq!(first, pointer, "{verb} {path} {body}: {problem:#}");
    }
    let wrong = json!({"defaults": {"timeout_ms": 1}});
    let problem = world.json(ADMIN, "patch", "/v1/environments/live", wrong).await.problem(422, "invalid-input");
    assert_eq!(problem["errors"][0]["pointer"], "/defaults/timeout_ms");
    let wrong = json!({"connectors": {"s4": {"enabled": true}}});
    let problem = world.json(ADMIN, "patch", "/v1/environments/live", wrong).await.problem(422, "invalid-input");
    assert_eq!(problem["errors"][0]["pointer"], "/connectors/s4");
    let header = [("if-match", "7"), ("content-type", json)];
    world.send(LIVE, "patch", "/v1/tenants/acme", &header, "{}").await.problem(400, "invalid-header");
}

#[tokio::test]
async fn errors_are_few_and_repeat_no_values() {
    let world = World::new().await;
    let object = |n: usize, name: &str| {
        let members = (0..n).map(|n| (format!("{name}{n}"), json!({})));
        Value::Object(members.collect())
    };
    let mut event = object(50, "unknown");
    event.as_object_mut().expect("an object").extend([("tenant".into(), json!("acme")), ("type".into(), json!("t"))]);
    let some = world.post("/v1/events", event).await.problem(422, "invalid-event");
    assert_eq!(some["errors"].as_array().map(Vec::len), Some(20));
    assert!(some["detail"].as_str().is_some_and(|detail| detail.contains("and more")), "{some:#}");
    let many = world.post("/v1/events", object(5_000, "unknown")).await;
    assert!(many.bytes.len() < 2_000, "{} bytes", many.bytes.len());
    assert_eq!(many.problem(422, "invalid-event")["errors"][0]["pointer"], "");
    let event = json!({"tenant": "acme", "type": "t", "data": 1, "attributes": object(5_000, "a")});
    let attributes = world.post("/v1/events", event).await.problem(422, "invalid-event");
    assert_eq!(attributes["errors"].as_array().map(Vec::len), Some(1));
    for body in [json!({"credentials": object(5_000, "c")}), json!({"config": object(5_000, "c")})] {
        let problem = world.post(DESTINATIONS, webhook(body)).await.problem(422, "invalid-input");
        assert!(problem["errors"].as_array().is_some_and(|errors| errors.len() <= 20), "{problem:#}");
    }
    let timeout = world.post(DESTINATIONS, webhook(json!({"timeout_ms": "hunter2-plain"}))).await;
    assert!(!timeout.text().contains("hunter2"), "{}", timeout.text());
    assert_eq!(timeout.problem(422, "invalid-input")["errors"][0]["detail"], "Expected u32.");
    let expires = world.post("/v1/keys", json!({"scopes": ["*"], "expires_at": "hunter2-plain"})).await;
    assert!(!expires.text().contains("hunter2"), "{}", expires.text());
    expires.problem(422, "invalid-input");
}

#[tokio::test]
async fn a_credential_is_as_long_as_connectors_take() {
    let world = World::new().await;
    let body = |bytes: usize| webhook(json!({"credentials": {"bearer_token": "x".repeat(bytes)}}));
    world.post(DESTINATIONS, body(16 * 1024)).await.expect(201);
    let long = world.post(DESTINATIONS, body(16 * 1024 + 1)).await.problem(422, "invalid-input");
    assert_eq!(long["errors"][0]["pointer"], "/credentials/bearer_token");
}

#[tokio::test]
async fn replays_are_short_in_words_and_few() {
    let world = World::new().await;
    let path = "/v1/tenants/acme/replays";
    for name in ["destination", "event_type", "event", "code"] {
        let problem = world.post(path, json!({"filter": {name: "x".repeat(257)}})).await.problem(422, "invalid-input");
        assert_eq!(problem["errors"][0]["pointer"], format!("/filter/{name}"));
        assert!(problem["errors"][0]["detail"].as_str().is_some_and(|detail| detail.contains("256")), "{problem:#}");
    }
    let live = world.state.environment_named("live").await.expect("read").expect("it");
    let tenant = world.store.tenant(live.no, &"acme".parse().expect("an id")).await.expect("read").expect("it");
    // The engine is not told of these, and steps one only after a tick: all of them run when the next one is asked for.
    for n in 0..20 {
        let (id, at) = (JobId::new(Timestamp(1), [n; 10]), Timestamp(1));
        let replay = NewReplay { id, tenant: tenant.no, filter: DeliveryFilter::default(), at };
        world.store.core().start_replay(&replay).expect("starts");
    }
    world.post(path, json!({"filter": {}})).await.problem(409, "too-many-replays");
    world
        .until(path, |page| page["data"].as_array().is_some_and(|all| all.iter().all(|one| one["state"] != "running")))
        .await;
    world.post(path, json!({"filter": {}})).await.expect(201);
}
