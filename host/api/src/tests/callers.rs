//! Every route against every kind of caller.

use super::world::{ADMIN, LIVE, SANDBOX, World, all_but};
use crate::auth::Action;
use crate::keys::hash;
use crate::operation::{Operation, Place};
use crate::ops;
use railhead_store::Directory as _;
use serde_json::json;

/// A path of the operation with ids of tenant `acme` that are all well-formed.
fn path(operation: &Operation, tenant: &str, ids: &[(&str, String)]) -> String {
    let mut path = operation.path.replace("{tenant}", tenant).replace("{name}", "live");
    for (name, value) in [("{type}", "order.created"), ("{connector}", "webhook"), ("{field}", "signing_secret")] {
        path = path.replace(name, value);
    }
    ids.iter().fold(path, |path, (name, id)| path.replace(name, id))
}

async fn ids(world: &World) -> Vec<(&'static str, String)> {
    let event = world.delivered("ord-1").await;
    let delivery = event["destinations"][0]["delivery"].as_str().expect("an id").to_owned();
    let attempts = world.get(&format!("/v1/tenants/acme/deliveries/{delivery}/attempts")).await.expect(200);
    let key = world.post("/v1/keys", json!({"scopes": ["tenants"]})).await.expect(201);
    let replay = world.post("/v1/tenants/acme/replays", json!({"filter": {}})).await.expect(201);
    let text = |value: &serde_json::Value| value.as_str().expect("an id").to_owned();
    vec![
        ("{event}", "ord-1".to_owned()),
        ("{delivery}", delivery),
        ("{attempt}", text(&attempts["data"][0]["id"])),
        ("{key}", text(&key["id"])),
        ("{replay}", text(&replay["id"])),
        ("{destination}", "orders".to_owned()),
    ]
}

#[tokio::test]
async fn no_key_wrong_key_and_missing_scope_are_refused_on_every_route() {
    let world = World::new().await;
    let ids = ids(&world).await;
    for operation in ops::ALL {
        let Some(action) = operation.action else { continue };
        let path = path(operation, "acme", &ids);
        let verb = operation.verb.as_str();
        world.send("", verb, &path, &[], "").await.problem(401, "unauthenticated");
        world.send("rk_live_guessed", verb, &path, &[], "").await.problem(401, "unauthenticated");
        let lacking = if action == Action::Admin { LIVE.to_owned() } else { all_but(action.scope()) };
        let refused = world.send(&lacking, verb, &path, &[], "").await.problem(403, "missing-scope");
        assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains(action.scope())), "{refused:#}");
    }
}

#[tokio::test]
async fn what_belongs_to_another_environment_or_tenant_is_not_found() {
    let world = World::new().await;
    let ids = ids(&world).await;
    for operation in ops::ALL {
        let foreign_path = operation.path.contains("{tenant}") || operation.path.contains("{key}");
        if !foreign_path || operation.id == "tenants.put" {
            continue;
        }
        let (verb, own) = (operation.verb.as_str(), path(operation, "acme", &ids));
        let from_sandbox = world.json(SANDBOX, verb, &own, json!({})).await;
        assert_eq!(from_sandbox.status, 404, "{}: {}", operation.id, from_sandbox.text());
        let names_object = ["{event}", "{delivery}", "{replay}", "{destination}"];
        let made_here = ["destinations.put"];
        if names_object.iter().any(|name| operation.path.contains(name)) && !made_here.contains(&operation.id) {
            let other_tenant = world.json(LIVE, verb, &path(operation, "globex", &ids), json!({})).await;
            assert_eq!(other_tenant.status, 404, "{}: {}", operation.id, other_tenant.text());
        }
    }
    world.get("/v1/tenants/acme/events/ord-1").await.expect(200);
    world.get("/v1/tenants/acme/destinations/orders").await.expect(200);
}

#[tokio::test]
async fn the_administrator_names_the_environment() {
    let world = World::new().await;
    for operation in ops::ALL.iter().filter(|operation| operation.place == Place::Environment) {
        let answer = world.send(ADMIN, operation.verb.as_str(), &path(operation, "acme", &[]), &[], "").await;
        answer.problem(400, "environment-required");
    }
    world.send(ADMIN, "get", "/v1/tenants/acme?environment=live", &[], "").await.expect(200);
    world.send(ADMIN, "get", "/v1/tenants/acme?environment=sandbox", &[], "").await.problem(404, "unknown-tenant");
    world.send(ADMIN, "get", "/v1/tenants?environment=nope", &[], "").await.problem(400, "invalid-query");
    let words = |problem: serde_json::Value| (problem["detail"].clone(), problem["errors"].clone());
    let there = world.send(LIVE, "get", "/v1/tenants?environment=sandbox", &[], "").await;
    let not_there = world.send(LIVE, "get", "/v1/tenants?environment=nope", &[], "").await;
    assert_eq!(words(there.problem(400, "invalid-query")), words(not_there.problem(400, "invalid-query")));
    world.send(LIVE, "get", "/v1/tenants?environment=live", &[], "").await.expect(200);
}

#[tokio::test]
async fn keys_work_until_they_are_revoked_rotated_or_expired_and_give_no_more_than_they_have() {
    let world = World::new().await;
    let made = world.post("/v1/keys", json!({"name": "n", "scopes": ["tenants", "keys"]})).await.expect(201);
    let (id, secret) = (made["id"].as_str().expect("an id"), made["secret"].as_str().expect("a secret"));
    assert!(secret.starts_with("rk_live_") && secret.len() >= "rk_live_".len() + 32);
    world.send(secret, "get", "/v1/tenants/acme", &[], "").await.expect(200);
    let shown = world.get(&format!("/v1/keys/{id}")).await;
    assert!(!shown.text().contains(secret) && shown.json().get("secret").is_none());

    let more = world.json(secret, "post", "/v1/keys", json!({"scopes": ["tenants", "events:write"]})).await;
    assert_eq!(more.problem(422, "invalid-input")["errors"][0]["code"], "scope-not-held");
    let all = world.json(secret, "post", "/v1/keys", json!({"scopes": ["*"]})).await;
    assert_eq!(all.problem(422, "invalid-input")["errors"][0]["pointer"], "/scopes/0");

    let rotate = format!("/v1/keys/{id}/rotate");
    let next = world.post(&rotate, json!({"overlap_ms": 60_000})).await.expect(201);
    let next_secret = next["secret"].as_str().expect("a secret");
    for secret in [secret, next_secret] {
        world.send(secret, "get", "/v1/tenants/acme", &[], "").await.expect(200);
    }
    world.delete(&format!("/v1/keys/{id}")).await.expect(204);
    world.send(secret, "get", "/v1/tenants/acme", &[], "").await.problem(401, "unauthenticated");
    let rotate = format!("/v1/keys/{}/rotate", next["id"].as_str().expect("an id"));
    world.post(&rotate, json!({})).await.expect(201);
    world.send(next_secret, "get", "/v1/tenants/acme", &[], "").await.problem(401, "unauthenticated");
}

fn text<'a>(value: &'a serde_json::Value, name: &str) -> &'a str {
    value[name].as_str().expect("text")
}

#[tokio::test]
async fn a_revoked_key_is_neither_rotated_nor_brought_back() {
    let world = World::new().await;
    let made = world.post("/v1/keys", json!({"scopes": ["tenants"]})).await.expect(201);
    let before = world.store.key_by_hash(&hash(text(&made, "secret"))).await.expect("read").expect("a key");
    world.delete(&format!("/v1/keys/{}", text(&made, "id"))).await.expect(204);
    world.store.put_key(&before).await.expect("written by a rotation that read it before");
    world.send(text(&made, "secret"), "get", "/v1/tenants/acme", &[], "").await.problem(401, "unauthenticated");
    world.post(&format!("/v1/keys/{}/rotate", text(&made, "id")), json!({})).await.problem(409, "conflict");
}

#[tokio::test]
async fn a_key_makes_none_that_lives_longer_and_ends_none_that_may_more() {
    let world = World::new().await;
    let until = "2099-01-01T00:00:00.000Z";
    let body = json!({"scopes": ["tenants", "keys"], "expires_at": until});
    let own = world.post("/v1/keys", body).await.expect(201);
    let secret = text(&own, "secret");
    let make = async |more: serde_json::Value| {
        let mut body = json!({"scopes": ["tenants"]});
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        world.json(secret, "post", "/v1/keys", body).await
    };
    let later = make(json!({"expires_at": "2099-01-01T00:00:00.001Z"})).await.problem(422, "invalid-input");
    assert_eq!(later["errors"][0]["pointer"], "/expires_at");
    assert_eq!(make(json!({})).await.expect(201)["expires_at"], until);
    make(json!({"expires_at": "2098-01-01T00:00:00Z"})).await.expect(201);

    let lasting = world.post("/v1/keys", json!({"scopes": ["tenants"]})).await.expect(201);
    let rotate = format!("/v1/keys/{}/rotate", text(&lasting, "id"));
    world.json(secret, "post", &rotate, json!({})).await.problem(422, "invalid-input");

    let mighty = world.post("/v1/keys", json!({"scopes": ["*"], "expires_at": until})).await.expect(201);
    let path = format!("/v1/keys/{}", text(&mighty, "id"));
    world.send(secret, "delete", &path, &[], "").await.problem(403, "missing-scope");
    world.json(secret, "post", &format!("{path}/rotate"), json!({})).await.problem(403, "missing-scope");
    world.send(text(&mighty, "secret"), "get", "/v1/tenants/acme", &[], "").await.expect(200);
    let own = format!("/v1/keys/{}", text(&own, "id"));
    world.send(secret, "delete", &own, &[], "").await.expect(204);
}
