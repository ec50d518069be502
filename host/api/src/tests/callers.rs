//! Every route against every kind of caller.

use super::world::{ADMIN, Answered, LIVE, SANDBOX, World, all_but};
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

/// What a caller with every scope of its own environment gets who names something of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Foreign {
    /// It names an object: 404, also where the object belongs to another tenant of the caller's environment.
    Object,
    /// It names a tenant: 404. With another tenant of the own environment it concerns that tenant.
    Tenant,
    /// It concerns the caller's own environment, and shows and changes nothing of another.
    Own,
    /// It is the administrator's: 403.
    Administrator,
    /// It needs no key.
    Open,
}

use Foreign::{Administrator, Object, Open, Own, Tenant};

/// Every route. One that is missing here fails the tests.
const ROWS: [(&str, Foreign); 59] = [
    ("attempts.get", Object),
    ("attempts.list", Object),
    ("connectors.get", Own),
    ("connectors.list", Own),
    ("deliveries.cancel", Object),
    ("deliveries.get", Object),
    ("deliveries.list", Tenant),
    ("deliveries.retry", Object),
    ("destinations.check", Object),
    ("destinations.create", Tenant),
    ("destinations.credentials.delete", Object),
    ("destinations.credentials.put", Object),
    ("destinations.credentials.reveal", Object),
    ("destinations.delete", Object),
    ("destinations.disable", Object),
    ("destinations.enable", Object),
    ("destinations.get", Object),
    ("destinations.list", Tenant),
    ("destinations.patch", Object),
    ("destinations.pause", Object),
    ("destinations.put", Tenant),
    ("destinations.resume", Object),
    ("destinations.test", Object),
    ("environment.deliveries", Own),
    ("environment.destinations", Own),
    ("environment.events", Own),
    ("environments.get", Administrator),
    ("environments.list", Administrator),
    ("environments.patch", Administrator),
    ("event-types.delete", Object),
    ("event-types.get", Object),
    ("event-types.list", Own),
    ("event-types.put", Own),
    ("events.erase", Object),
    ("events.get", Object),
    ("events.list", Tenant),
    ("events.payload", Object),
    ("events.publish", Own),
    ("host.docs", Open),
    ("host.health", Open),
    ("host.openapi", Open),
    ("host.problem", Open),
    ("host.problems", Open),
    ("host.ready", Open),
    ("keys.create", Own),
    ("keys.delete", Object),
    ("keys.get", Object),
    ("keys.list", Own),
    ("keys.rotate", Object),
    ("overview.get", Own),
    ("replays.cancel", Object),
    ("replays.create", Tenant),
    ("replays.get", Object),
    ("replays.list", Tenant),
    ("tenants.delete", Object),
    ("tenants.get", Object),
    ("tenants.list", Own),
    ("tenants.patch", Object),
    ("tenants.put", Own),
];

fn row(operation: &Operation) -> Foreign {
    let found = ROWS.iter().find(|(id, _)| *id == operation.id);
    found.unwrap_or_else(|| panic!("{} has no row: say who may call it", operation.id)).1
}

#[test]
fn every_route_has_a_row_and_every_row_a_route() {
    for operation in ops::ALL {
        let (row, action) = (row(operation), operation.action);
        assert_eq!(row == Open, action.is_none(), "{}: only what is open needs no scope", operation.id);
        assert_eq!(row == Administrator, action == Some(Action::Admin), "{}", operation.id);
        let named = operation.path.contains("{tenant}");
        assert!(!named || matches!(row, Object | Tenant | Own), "{}", operation.id);
    }
    for (id, _) in ROWS {
        assert!(ops::ALL.iter().any(|operation| operation.id == id), "there is no route {id}");
    }
}

#[tokio::test]
async fn no_key_wrong_ended_keys_and_missing_scope_are_refused_on_every_route() {
    let world = World::new().await;
    let ids = ids(&world).await;
    let revoked = world.post("/v1/keys", json!({"scopes": ["*"]})).await.expect(201);
    world.delete(&format!("/v1/keys/{}", text(&revoked, "id"))).await.expect(204);
    let expired = world.post("/v1/keys", json!({"scopes": ["*"]})).await.expect(201);
    let mut row = world.store.key_by_hash(&hash(text(&expired, "secret"))).await.expect("read").expect("a key");
    row.expires_at = Some(world.state.now());
    world.store.put_key(&row).await.expect("written");
    let long = "rk_live_".repeat(40);
    for operation in ops::ALL {
        let path = path(operation, "acme", &ids);
        let verb = operation.verb.as_str();
        let Some(action) = operation.action else {
            assert!(world.send("", verb, &path, &[], "").await.status < 500, "{}", operation.id);
            continue;
        };
        for key in [
            "",
            "rk_live_guessed",
            text(&revoked, "secret"),
            text(&expired, "secret"),
            &LIVE.to_uppercase(),
            &long,
            "*",
        ] {
            world.send(key, verb, &path, &[], "").await.problem(401, "unauthenticated");
        }
        for header in [format!("Basic {LIVE}"), LIVE.to_owned(), format!("Bearer {LIVE} {LIVE}"), "Bearer".to_owned()] {
            world.send("", verb, &path, &[("authorization", &header)], "").await.problem(401, "unauthenticated");
        }
        let lacking = if action == Action::Admin { LIVE.to_owned() } else { all_but(action.scope()) };
        let refused = world.send(&lacking, verb, &path, &[], "").await.problem(403, "missing-scope");
        assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains(action.scope())), "{refused:#}");
    }
}

/// Routes that need more than one scope.
#[tokio::test]
async fn what_needs_two_scopes_is_refused_without_the_second() {
    let world = World::new().await;
    let more = json!({"connector": "webhook", "config": {"url": "https://hooks.example.com/"},
        "credentials": {"bearer_token": "another-token-of-some-length"}});
    let destinations = "/v1/tenants/acme/destinations";
    for (scope, verb, path) in [
        ("credentials:write", "post", destinations.to_owned()),
        ("credentials:write", "put", format!("{destinations}/orders")),
        ("credentials:write", "put", format!("{destinations}/new")),
        ("credentials:write", "patch", format!("{destinations}/orders")),
        ("tenants", "get", "/v1/overview".to_owned()),
        ("deliveries:read", "get", "/v1/overview".to_owned()),
    ] {
        let body = if verb == "get" { json!(null) } else { more.clone() };
        let refused = world.json(&all_but(scope), verb, &path, body).await.problem(403, "missing-scope");
        assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains(scope)), "{path}: {refused:#}");
    }
}

/// A body that is right, where an operation needs one: what refuses it is then not what it says.
fn body(operation: &Operation) -> serde_json::Value {
    match operation.id {
        "destinations.create" | "destinations.put" => {
            json!({"connector": "webhook", "config": {"url": "https://own.example.net/"}, "event_types": ["own.*"]})
        }
        "destinations.credentials.put" => json!({"value": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"}),
        "destinations.patch" | "tenants.patch" | "tenants.put" => json!({"name": "Another"}),
        "destinations.test" => json!({"event": {"type": "order.created", "data": {}}}),
        "event-types.put" => json!({"examples": [{"another": 1}]}),
        "events.publish" => json!({"tenant": "acme", "type": "order.created", "id": "own-1", "data": {}}),
        "keys.create" => json!({"name": "own", "scopes": ["*"]}),
        "replays.create" => json!({"filter": {}}),
        _ => json!({}),
    }
}

fn is_of_a_tenant(operation: &Operation) -> bool {
    operation.path.contains("{tenant}") && !operation.id.starts_with("tenants.")
}

/// It is said of the object that it is not there, not of the tenant or the path.
#[track_caller]
fn has_no_such_object(operation: &Operation, answer: &Answered) {
    let problem = answer.problem(404, "not-found");
    let parts = [("destination", "destination"), ("delivery", "delivery"), ("event", "event"), ("replay", "replay")];
    let parts = parts.into_iter().chain([("key", "key"), ("type", "event type")]);
    let named: Vec<_> = parts.filter(|(part, _)| operation.path.contains(&format!("{{{part}}}"))).collect();
    let says = |name: &str| problem["detail"] == format!("There is no such {name} here.");
    let fits = named.iter().any(|(_, name)| says(name)) || (operation.id == "attempts.get" && says("attempt"));
    assert!(fits, "{}: {problem:#}", operation.id);
}

#[tokio::test]
async fn what_belongs_to_another_tenant_is_not_found() {
    let world = World::new().await;
    let ids = ids(&world).await;
    // Objects first: what is made for globex then has the same names.
    for wanted in [Object, Tenant] {
        for operation in ops::ALL.iter().filter(|operation| is_of_a_tenant(operation) && row(operation) == wanted) {
            let path = path(operation, "globex", &ids);
            let answer = world.json(LIVE, operation.verb.as_str(), &path, body(operation)).await;
            if wanted == Object {
                has_no_such_object(operation, &answer);
            }
            assert!(wanted == Object || answer.status < 300, "{}: {}", operation.id, answer.text());
            shows_nothing_of_acme(operation, &answer.text(), &ids);
        }
    }
    is_untouched(&world).await;
}

#[tokio::test]
async fn what_belongs_to_another_environment_is_not_found() {
    let world = World::new().await;
    let ids = ids(&world).await;
    let ask = async |operation: &Operation| {
        world.json(SANDBOX, operation.verb.as_str(), &path(operation, "acme", &ids), body(operation)).await
    };
    for operation in ops::ALL {
        let is_named = operation.path.contains("{tenant}");
        match row(operation) {
            Object | Tenant if is_named => _ = ask(operation).await.problem(404, "unknown-tenant"),
            Object => has_no_such_object(operation, &ask(operation).await),
            Administrator => _ = ask(operation).await.problem(403, "missing-scope"),
            Tenant | Own | Open => {}
        }
    }
    // Now with a tenant of the same name there: it is another tenant, and has nothing of the first one.
    world.json(SANDBOX, "put", "/v1/tenants/acme", json!({"name": "Another"})).await.expect(201);
    for operation in ops::ALL.iter().filter(|operation| is_of_a_tenant(operation) && row(operation) == Object) {
        has_no_such_object(operation, &ask(operation).await);
    }
    // What is asked for is done, in the own environment: an event goes to no destination of the other one.
    let event = body(ops::ALL.iter().find(|operation| operation.id == "events.publish").expect("a route"));
    let published = world.json(SANDBOX, "post", "/v1/events", event).await.expect(202);
    assert_eq!(published["deliveries"], 0, "{published:#}");
    for wanted in [Own, Tenant] {
        for operation in ops::ALL.iter().filter(|operation| row(operation) == wanted) {
            let answer = ask(operation).await;
            assert!(answer.status < 300, "{}: {} {}", operation.id, answer.status, answer.text());
            shows_nothing_of_acme(operation, &answer.text(), &ids);
            assert!(!answer.text().contains("ord-1"), "{}: {}", operation.id, answer.text());
            if operation.id == "keys.create" {
                let own = answer.json();
                let path = "/v1/tenants/acme/events/ord-1";
                world.send(text(&own, "secret"), "get", path, &[], "").await.problem(404, "not-found");
                assert!(!world.get("/v1/keys").await.text().contains(text(&own, "id")), "it is in the other list");
            }
        }
    }
    assert_eq!(world.send(SANDBOX, "get", "/v1/tenants/acme", &[], "").await.expect(200)["name"], "Another");
    world.send(SANDBOX, "delete", "/v1/tenants/acme", &[], "").await.expect(204);
    is_untouched(&world).await;
}

/// What the world began with is as it was, and nothing is beside it.
async fn is_untouched(world: &World) {
    world.get("/v1/tenants/acme/events/ord-1").await.expect(200);
    world.get("/v1/tenants/acme/events/own-1").await.problem(404, "not-found");
    let destinations = world.get("/v1/tenants/acme/destinations").await.expect(200);
    assert_eq!(destinations["data"].as_array().map(Vec::len), Some(1), "{destinations:#}");
    assert_eq!(destinations["data"][0]["config"]["url"], "https://hooks.example.com/orders");
    let replays = world.get("/v1/tenants/acme/replays").await.expect(200);
    assert_eq!(replays["data"].as_array().map(Vec::len), Some(1), "{replays:#}");
    assert_eq!(world.get("/v1/tenants/acme").await.expect(200)["name"], "Acme");
    assert_eq!(world.get("/v1/event-types/order.created").await.expect(200)["examples"], json!([{"order": 1}]));
}

#[track_caller]
fn shows_nothing_of_acme(operation: &Operation, answer: &str, ids: &[(&str, String)]) {
    let random = ids.iter().filter(|(name, _)| !["{event}", "{destination}"].contains(name)).map(|(_, id)| id.as_str());
    for foreign in random.chain(["Acme", "hooks.example.com", "a-token-of"]) {
        assert!(!answer.contains(foreign), "{} shows {foreign}: {answer}", operation.id);
    }
}

/// What a caller may do is private to `auth`, so that nothing beside it can decide. What keys are allowed stands in their rows
/// too: those who read it there write, show or hand it to [`crate::auth::Permit::covers`].
#[test]
fn nothing_beside_auth_reads_what_a_key_may_do() {
    let mut reading = Vec::new();
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            let name = entry.display().to_string();
            let name = name.rsplit("/src/").next().unwrap_or_default().to_owned();
            let text = std::fs::read_to_string(&entry).expect("text");
            if !name.starts_with("tests/") && names_scopes(&text) {
                reading.push(name);
            }
        }
    }
    reading.sort();
    let own = ["auth.rs", "auth/caller.rs"];
    // Its definition; what makes, hands over and shows keys.
    let others = ["keys.rs", "ops/keys/create.rs", "ops/keys/delete.rs", "views.rs"];
    assert_eq!(reading, [own.as_slice(), &others].concat());
}

/// True if a source names the field: `key.scopes`, or in braces or a list of names, as in `Key { scopes, .. }`.
fn names_scopes(source: &str) -> bool {
    source.match_indices("scopes").any(|(at, word)| {
        let before = source[..at].trim_end_matches(' ');
        let before =
            [" mut", " ref"].iter().fold(before, |text, word| text.strip_suffix(word).unwrap_or(text)).trim_end();
        let after = source[at + word.len()..].trim_start();
        source[..at].ends_with('.') || (before.ends_with(['{', ',', ':']) && after.starts_with([',', ':', '}', '@']))
    })
}

#[test]
fn every_way_to_read_a_field_is_seen() {
    for source in [
        "if key.scopes.is_empty()",
        "let Key { scopes, .. } = key;",
        "Key { id, scopes } => id",
        "Key { ref scopes, .. }",
        "Key { id, ref mut scopes }",
        "Key {\n    id,\n    scopes: given,\n}",
        "Reach { scopes: all @ [] }",
    ] {
        assert!(names_scopes(source), "{source}");
    }
    for source in ["the same name, scopes and expiry", "\"scopes\": {\"type\"", "It needs the scopes `keys`.", "SCOPES"]
    {
        assert!(!names_scopes(source), "{source}");
    }
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
