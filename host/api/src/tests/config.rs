//! Configuration: destinations, credentials, layers, ETags, idempotency.

use super::world::{ADMIN, LIVE, World, all_but};
use railhead_store::Directory as _;
use serde_json::{Value, json};

const ORDERS: &str = "/v1/tenants/acme/destinations/orders";

#[tokio::test]
async fn credentials_are_made_masked_rotated_and_revealed_only_where_shared() {
    let world = World::new().await;
    let shown = world.get(ORDERS).await;
    assert!(!shown.text().contains("a-token-of-some"));
    let shown = shown.json();
    assert_eq!(shown["credentials"]["bearer_token"]["mask"], "…ngth");
    assert_eq!(shown["target"], "https://hooks.example.com/orders");
    let reveal = format!("{ORDERS}/credentials/signing_secret/reveal");
    let first = world.post(&reveal, json!({})).await.expect(200)["value"].as_str().expect("text").to_owned();
    assert!(first.starts_with("whsec_"));
    world.post(&format!("{ORDERS}/credentials/bearer_token/reveal"), json!({})).await.problem(409, "not-shared");
    world.post(&format!("{ORDERS}/credentials/nope/reveal"), json!({})).await.problem(404, "not-found");

    let put = format!("{ORDERS}/credentials/signing_secret");
    let rotated = world.put(&put, json!({"overlap_ms": 60_000})).await.expect(200);
    let secret = &rotated["credentials"]["signing_secret"];
    assert_eq!((&secret["version"], &secret["previous"]["version"]), (&json!(2), &json!(1)));
    let values = world.post(&reveal, json!({})).await.expect(200)["values"].clone();
    assert_eq!(values[1]["value"], json!(first));
    let bad = world.put(&put, json!({"value": "whsec_%%"})).await.problem(422, "invalid-input");
    assert_eq!(bad["errors"][0]["pointer"], "/value");
    assert!(!bad.to_string().contains("%%"));

    let made = world.put(&format!("{ORDERS}/credentials/ed25519_key"), json!({"value": "generate"})).await.expect(200);
    let public = made["credentials"]["ed25519_key"]["public_key"].as_str().expect("a key");
    assert!(public.starts_with("whpk_") && public.len() == "whpk_".len() + 44);
    world.delete(&format!("{ORDERS}/credentials/ed25519_key")).await.expect(204);
    world.delete(&format!("{ORDERS}/credentials/ed25519_key")).await.problem(404, "not-found");
}

#[tokio::test]
async fn a_body_with_credentials_needs_their_scope_too() {
    let world = World::new().await;
    let key = all_but("credentials:write");
    let body = json!({"credentials": {"bearer_token": "x"}});
    world.json(&key, "patch", ORDERS, body).await.problem(403, "missing-scope");
    world.json(&key, "patch", ORDERS, json!({"name": "n"})).await.expect(200);
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_keeps_the_rest() {
    let world = World::new().await;
    let patched = world
        .patch(
            ORDERS,
            json!({"name": "n", "retry": {"schedule_ms": [1000, 2000]}, "config": {"mode": "raw"},
            "credentials": {"bearer_token": null}, "ordering": {"key": "/order"}}),
        )
        .await
        .expect(200);
    assert_eq!(patched["config"], json!({"url": "https://hooks.example.com/orders", "mode": "raw"}));
    assert_eq!(
        patched["credentials"].as_object().map(|all| all.keys().cloned().collect()),
        Some(vec!["signing_secret".to_owned()])
    );
    assert_eq!((&patched["event_types"], &patched["ordering"]), (&json!(["order.*"]), &json!({"key": "/order"})));
    let growth = json!({"initial_ms": 1000, "factor": 2.0, "max_ms": 60_000, "window_ms": 600_000});
    let patched = world.patch(ORDERS, json!({"retry": growth, "name": null})).await.expect(200);
    assert_eq!((&patched["retry"], &patched["name"]), (&growth, &Value::Null));
    let default = world.patch(ORDERS, json!({"retry": null})).await.expect(200);
    assert_eq!(default["retry"]["schedule_ms"].as_array().map(Vec::len), Some(10));
    let moved = world.patch(ORDERS, json!({"connector": "s3"})).await.problem(422, "invalid-input");
    assert_eq!(moved["errors"][0]["pointer"], "/connector");
}

#[tokio::test]
async fn environment_defaults_limits_and_locks_apply() {
    let world = World::new().await;
    let settings = json!({"defaults": {"timeout_ms": 5000, "retry": {"schedule_ms": [7000]}}, "limits": {"destinations": 2},
        "connectors": {"webhook": {"defaults": {"mode": "raw"}, "locked": ["mode"]}}});
    world.json(ADMIN, "patch", "/v1/environments/live", settings).await.expect(200);
    let base = "/v1/tenants/acme/destinations";
    let body = |mode: Option<&str>| {
        let mut body = json!({"connector": "webhook", "config": {"url": "https://e.example/x"}});
        if let Some(mode) = mode {
            body["config"]["mode"] = json!(mode);
        }
        body
    };
    let locked = world.post(base, body(Some("standard"))).await.problem(422, "invalid-input");
    assert_eq!(
        (&locked["errors"][0]["pointer"], &locked["errors"][0]["code"]),
        (&json!("/config/mode"), &json!("locked-field"))
    );
    let made = world.post(base, body(None)).await.expect(201);
    assert_eq!((&made["timeout_ms"], &made["effective"]["config"]["mode"]), (&json!(5000), &json!("raw")));
    assert_eq!(made["effective"]["retry"], json!({"schedule_ms": [7000]}));
    world.post(base, body(None)).await.problem(409, "limit-reached");
    world.patch("/v1/tenants/acme", json!({"limits": {"destinations": 3}})).await.expect(200);
    world.post(base, body(None)).await.expect(201);
    let off = json!({"connectors": {"webhook": {"enabled": false}}});
    world.json(ADMIN, "patch", "/v1/environments/live", off).await.expect(200);
    let refused = world.post(base, body(None)).await.problem(422, "invalid-input");
    assert_eq!(refused["errors"][0]["code"], "unknown-connector");
}

#[tokio::test]
async fn etags_guard_writes() {
    let world = World::new().await;
    for (path, body) in [(ORDERS, json!({"name": "x"})), ("/v1/tenants/acme", json!({"name": "x"}))] {
        let tag = world.get(path).await.headers["etag"].to_str().expect("text").to_owned();
        let json = ("content-type", "application/json");
        let body = body.to_string();
        world.send(LIVE, "patch", path, &[json, ("if-match", &tag)], &body).await.expect(200);
        world.send(LIVE, "patch", path, &[json, ("if-match", &tag)], &body).await.problem(412, "precondition-failed");
        world.send(LIVE, "delete", path, &[("if-match", &tag)], "").await.problem(412, "precondition-failed");
        let absent = [json, ("if-none-match", "*")];
        world.send(LIVE, "put", path, &absent, "{\"connector\":\"webhook\"}").await;
        assert_eq!(world.get(path).await.expect(200)["name"], "x");
    }
}

#[tokio::test]
async fn an_idempotency_key_repeats_the_answer_and_nothing_else() {
    let world = World::new().await;
    let base = "/v1/tenants/acme/destinations";
    let body = json!({"connector": "webhook", "config": {"url": "https://e.example/x"}}).to_string();
    let headers = [("content-type", "application/json"), ("idempotency-key", "k-1")];
    let first = world.send(LIVE, "post", base, &headers, &body).await;
    let second = world.send(LIVE, "post", base, &headers, &body).await;
    assert_eq!((first.status, &first.bytes), (201, &second.bytes));
    assert_eq!(second.headers["idempotent-replayed"], "true");
    assert_eq!(first.headers["etag"], second.headers["etag"]);
    world.send(LIVE, "post", base, &headers, "{}").await.problem(422, "idempotency-key-reused");
    let listed = world.get(base).await.expect(200);
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(2));
    let stored = format!("{:?}", world.store.core());
    assert!(!stored.contains("e.example/x\\\""), "the stored answer is sealed");
}

#[tokio::test]
async fn stored_answers_end_with_their_tenant_and_hold_no_revealed_secret() {
    let world = World::new().await;
    let headers = [("content-type", "application/json"), ("idempotency-key", "k-1")];
    let reveal = format!("{ORDERS}/credentials/signing_secret/reveal");
    let first = world.send(LIVE, "post", &reveal, &headers, "{}").await.expect(200);
    world.put(&format!("{ORDERS}/credentials/signing_secret"), json!({})).await.expect(200);
    let second = world.send(LIVE, "post", &reveal, &headers, "{}").await;
    assert!(!second.headers.contains_key("idempotent-replayed"));
    assert_ne!(second.expect(200)["value"], first["value"]);

    let base = "/v1/tenants/acme/destinations";
    let body = json!({"connector": "webhook", "config": {"url": "https://e.example/x"}}).to_string();
    let made = world.send(LIVE, "post", base, &headers, &body).await.expect(201);
    world.send(LIVE, "post", base, &headers, &body).await.expect(201);
    let live = world.state.environment_named("live").await.expect("read").expect("it");
    let tenant = world.store.tenant(live.no, &"acme".parse().expect("an id")).await.expect("read").expect("it");
    let keyring = world.state.delivery.keyring();
    let other_key = keyring.new_key(live.no, &tenant.id);
    assert_eq!(world.store.replace_wrapped_key(tenant.no, &tenant.wrapped_key, &other_key).await, Ok(true));
    keyring.forget(tenant.no);
    world.send(LIVE, "post", base, &headers, &body).await.problem(500, "internal");
    world.delete("/v1/tenants/acme").await.expect(204);
    world.send(LIVE, "post", base, &headers, &body).await.problem(404, "unknown-tenant");
    world.put("/v1/tenants/acme", json!({})).await.expect(201);
    let anew = world.send(LIVE, "post", base, &headers, &body).await;
    assert!(!anew.headers.contains_key("idempotent-replayed"));
    assert_ne!(anew.expect(201)["id"], made["id"]);
}

#[tokio::test]
async fn an_idempotency_key_belongs_to_one_api_key_of_settings_too() {
    let world = World::new().await;
    let base = "/v1/tenants/acme/destinations";
    let body = json!({"connector": "webhook", "config": {"url": "https://e.example/x"}}).to_string();
    let headers = [("content-type", "application/json"), ("idempotency-key", "k-1")];
    let first = world.send(LIVE, "post", base, &headers, &body).await.expect(201);
    let other = world.send(&all_but("payloads:read"), "post", base, &headers, &body).await;
    assert!(!other.headers.contains_key("idempotent-replayed"));
    assert_ne!(other.expect(201)["id"], first["id"]);
}

#[tokio::test]
async fn credentials_go_to_another_origin_only_with_their_scope() {
    let world = World::new().await;
    let key = all_but("credentials:write");
    let to = |url: &str| json!({"connector": "webhook", "config": {"url": url}});
    for verb in ["patch", "put"] {
        for url in
            ["https://evil.example/orders", "http://hooks.example.com/orders", "https://hooks.example.com:8443/x"]
        {
            let refused = world.json(&key, verb, ORDERS, to(url)).await.problem(403, "missing-scope");
            let detail = refused["detail"].as_str().expect("text");
            assert!(detail.contains("bearer_token") && detail.contains("signing_secret"), "{detail}");
        }
        world.json(&key, verb, ORDERS, to("https://hooks.example.com/v2")).await.expect(200);
        world.json(LIVE, verb, ORDERS, to("https://new.example/orders")).await.expect(200);
        world.json(LIVE, verb, ORDERS, to("https://hooks.example.com/orders")).await.expect(200);
    }
    world.delete(&format!("{ORDERS}/credentials/bearer_token")).await.expect(204);
    // Receivers trust what the signing secret signs, wherever it was sent first.
    let refused = world.json(&key, "patch", ORDERS, to("https://new.example/orders")).await;
    let detail = refused.problem(403, "missing-scope")["detail"].clone();
    assert!(detail.as_str().is_some_and(|detail| detail.contains("(signing_secret)")), "{detail}");
    world.delete(&format!("{ORDERS}/credentials/signing_secret")).await.expect(204);
    world.json(&key, "patch", ORDERS, to("https://new.example/orders")).await.expect(200);
}

#[tokio::test]
async fn what_a_stored_secret_signs_changes_only_with_the_scope_of_credentials() {
    let world = World::new().await;
    let key = all_but("credentials:write");
    let forging = json!([{"scheme": "custom", "header": "x-oracle", "content": "msg_forged.1893456000.{body}",
        "secret_encoding": "base64", "value": "{signatures}"}]);
    let whole = |more: Value| {
        let mut config = json!({"url": "https://hooks.example.com/orders"});
        config.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        json!({"connector": "webhook", "config": config, "event_types": ["order.*"]})
    };
    for change in [json!({"signatures": forging}), json!({"signatures": []}), json!({"header_prefix": "svix-"})] {
        for verb in ["patch", "put"] {
            let refused = world.json(&key, verb, ORDERS, whole(change.clone())).await.problem(403, "missing-scope");
            let detail = refused["detail"].as_str().expect("text");
            assert!(detail.contains("(signing_secret)") && detail.contains("credentials:write"), "{detail}");
        }
    }
    let shown = world.get(ORDERS).await.expect(200);
    assert_eq!(shown["config"], json!({"url": "https://hooks.example.com/orders"}), "nothing was written");
    world.json(&key, "patch", ORDERS, whole(json!({"mode": "raw"}))).await.expect(200);

    world.json(LIVE, "patch", ORDERS, whole(json!({"signatures": forging}))).await.expect(200);
    let undone = json!({"config": {"signatures": null}});
    world.json(&key, "patch", ORDERS, undone.clone()).await.problem(403, "missing-scope");
    world.json(&key, "patch", ORDERS, json!({"name": "n"})).await.expect(200);
    world.delete(&format!("{ORDERS}/credentials/signing_secret")).await.expect(204);
    world.json(&key, "patch", ORDERS, undone).await.expect(200);
    // A new one brings or gets a secret of its own, which nobody trusts yet.
    let made =
        world.json(&key, "put", "/v1/tenants/acme/destinations/new", whole(json!({"signatures": forging}))).await;
    made.expect(201);
}

#[tokio::test]
async fn a_client_secret_goes_to_another_path_or_in_another_way_only_with_the_scope_of_credentials() {
    let world = World::new().await;
    let key = all_but("credentials:write");
    let oauth2 = |url: &str, auth: &str| json!({"config": {"oauth2": {"token_url": url, "client_id": "c", "client_auth": auth}}});
    let token = "https://id.example.com/token";
    let mut given = oauth2(token, "basic");
    world.json(&key, "patch", ORDERS, given.clone()).await.problem(403, "missing-scope");
    given["credentials"] = json!({"oauth2_client_secret": "a-secret-of-some-length", "bearer_token": null});
    world.json(LIVE, "patch", ORDERS, given).await.expect(200);
    world.json(&key, "patch", ORDERS, oauth2(token, "basic")).await.expect(200);
    for change in [
        oauth2("https://id.example.com/echo", "basic"),
        oauth2(token, "body"),
        json!({"config": {"oauth2": {"client_id": "another"}}}),
        json!({"config": {"oauth2": null}}),
    ] {
        let refused = world.json(&key, "patch", ORDERS, change.clone()).await.problem(403, "missing-scope");
        assert!(
            refused["detail"].as_str().is_some_and(|it| it.contains("oauth2_client_secret")),
            "{change}: {refused}"
        );
        world.json(LIVE, "patch", ORDERS, change).await.expect(200);
        world.json(LIVE, "patch", ORDERS, oauth2(token, "basic")).await.expect(200);
    }
}

#[tokio::test]
async fn pausing_disabling_and_deleting() {
    let world = World::new().await;
    for (verb, state) in [
        ("pause", "paused"),
        ("resume", "active"),
        ("disable", "disabled"),
        ("resume", "disabled"),
        ("enable", "active"),
    ] {
        let shown = world.post(&format!("{ORDERS}/{verb}"), json!({})).await.expect(200);
        assert_eq!(shown["state"], state, "{verb}");
    }
    world.delete(ORDERS).await.expect(204);
    world.get(ORDERS).await.problem(404, "not-found");
    world.delete("/v1/tenants/acme").await.expect(204);
    world.get("/v1/tenants/acme").await.problem(404, "unknown-tenant");
    world.post("/v1/events", json!({"tenant": "acme", "type": "t", "data": 1})).await.problem(404, "unknown-tenant");
}

#[tokio::test]
async fn request_ids_go_round_and_what_no_route_takes_is_a_problem_document() {
    let world = World::empty().await;
    let given = world.send("", "get", "/nowhere", &[("x-request-id", "abc-1")], "").await;
    assert_eq!(given.problem(404, "not-found")["request_id"], "abc-1");
    let made = world.send("", "get", "/nowhere", &[("x-request-id", "a b")], "").await;
    assert!(made.headers["x-request-id"].to_str().is_ok_and(|id| id.starts_with("req_")));
    let wrong = world.send(LIVE, "delete", "/v1/tenants", &[], "").await;
    assert_eq!(wrong.problem(405, "method-not-allowed")["status"], 405);
    assert!(wrong.headers["allow"].to_str().is_ok_and(|allow| allow.contains("GET")));
}
