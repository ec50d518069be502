//! Every documented example is sent, and answers as documented.

use super::world::{ADMIN, LIVE, World};
use crate::auth::Action;
use crate::openapi;
use crate::operation::{Example, Operation};
use crate::ops;
use serde_json::{Value, json};

/// Ids of the example data.
async fn ids(world: &World) -> Vec<(&'static str, String)> {
    let event = world.delivered("ord-1").await;
    let delivery = event["destinations"][0]["delivery"].as_str().expect("an id").to_owned();
    let attempts = world.get(&format!("/v1/tenants/acme/deliveries/{delivery}/attempts")).await.expect(200);
    let key = world.post("/v1/keys", json!({"scopes": ["tenants"]})).await.expect(201);
    let replay = world.post("/v1/tenants/acme/replays", json!({"filter": {"state": "dead"}})).await.expect(201);
    let id = |value: &Value| value["id"].as_str().expect("an id").to_owned();
    let path = format!("/v1/tenants/acme/replays/{}", id(&replay));
    world.until(&path, |replay| replay["state"] == "completed").await;
    vec![
        ("{event}", event["uid"].as_str().expect("a uid").to_owned()),
        ("{attempt}", id(&attempts["data"][0])),
        ("{delivery}", delivery),
        ("{key}", id(&key)),
        ("{replay}", id(&replay)),
    ]
}

#[tokio::test]
async fn every_example_answers_as_documented() {
    let schemas = openapi::document()["components"].clone();
    for operation in ops::ALL {
        assert!(!operation.examples.is_empty(), "{} has no example", operation.id);
        for example in operation.examples {
            send(operation, example, &schemas).await;
        }
    }
}

async fn send(operation: &Operation, example: &Example, components: &Value) {
    let world = World::new().await;
    let mut path = example.path.to_owned();
    if path.contains('{') || path.contains("ord-1") {
        for (name, id) in ids(&world).await {
            path = path.replace(name, &id);
        }
    }
    let mut headers = example.headers.to_vec();
    if !example.content_type.is_empty() {
        headers.push(("content-type", example.content_type));
    }
    if let Some(body) = example.body.filter(|_| !operation.body.is_empty() && example.content_type.ends_with("json")) {
        let body = serde_json::from_str(body).expect("JSON");
        fits(&format!("{}: {}", operation.id, example.name), operation.body, components, &body);
    }
    let key = match operation.action {
        None => "",
        Some(Action::Admin) => ADMIN,
        Some(_) => LIVE,
    };
    let body = example.body.unwrap_or_default();
    let answer = world.send(key, operation.verb.as_str(), &path, &headers, body).await;
    let name = format!("{}: {}", operation.id, example.name);
    assert_eq!(answer.status, example.status, "{name}: {}", answer.text());
    if answer.status >= 400 {
        answer.problem(example.status, answer.json()["code"].as_str().unwrap_or_default());
        return;
    }
    let documented = operation.answers.iter().find(|one| one.status == answer.status);
    let documented = documented.unwrap_or_else(|| panic!("{name}: {} is not documented", answer.status));
    if !documented.schema.is_empty() {
        fits(&name, documented.schema, components, &answer.json());
    }
}

#[track_caller]
fn fits(name: &str, schema: &str, components: &Value, body: &Value) {
    let schema = json!({"$ref": format!("#/components/schemas/{schema}"), "components": components});
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<_> = schema.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}\n{body:#}");
}

#[tokio::test]
async fn the_document_and_the_pages_are_served_without_a_key() {
    let world = World::empty().await;
    let document = world.send("", "get", "/openapi.json", &[], "").await.expect(200);
    let ids: Vec<_> = ops::ALL.iter().map(|operation| operation.id).collect();
    for operation in ops::ALL {
        let described = &document["paths"][operation.path][operation.verb.as_str()];
        assert_eq!(described["operationId"], operation.id);
        assert!(!operation.summary.is_empty() && !operation.tag.is_empty());
        assert_eq!(ids.iter().filter(|id| **id == operation.id).count(), 1, "{}", operation.id);
    }
    let references: Vec<_> = references(&document);
    assert!(references.len() > 50);
    for reference in references {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
    }
    for path in ["/docs", "/problems", "/problems/invalid-input"] {
        let page = world.send("", "get", path, &[], "").await;
        assert_eq!(page.status, 200);
        let policy = page.headers["content-security-policy"].to_str().expect("text");
        assert!(policy.starts_with("default-src 'none'") && page.text().starts_with("<!doctype html>"));
    }
    world.send("", "get", "/problems/no-such", &[], "").await.problem(404, "not-found");
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(text) if name == "$ref" => vec![text.clone()],
                value => references(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}
