//! No preview shows a secret: neither the webhook's, in any of its ways, nor that of a guest that uses every kind.

use crate::search::{Found, PLANTED_QUOTED, planted};
use crate::world::{World, call};
use crate::{run, sandbox_alone};
use railhead_sandbox::{Call, Connector, Sandbox};
use railhead_test_guests::HOSTILE;
use serde_json::{Value, json};
use std::sync::Arc;

/// What is wrong with what a preview shows: as the API would write it.
async fn wrong_in(sandbox: &Sandbox, world: &World, way: &Way<'_>, call: Call) -> Vec<String> {
    let given = |name: &str| way.fields.contains(&name);
    let target = world.target_of(way.connector, way.number, way.config.clone(), given);
    let shown = match sandbox.preview(target, call).await {
        Ok(shown) if !shown.is_empty() => json!(shown),
        other => return vec![format!("{:?}: {other:?}", way.fields)],
    };
    let (strings, shown) = (strings(&shown), shown.to_string());
    let found = Found::in_pieces(strings.iter().chain([&shown]).map(|text| text.as_bytes()));
    let mut wrong: Vec<String> = found.secrets.iter().map(|secret| format!("{:?}: {secret}", way.fields)).collect();
    if !found.missed().is_empty() {
        wrong.push(format!("{:?}: what is planted is missed: {:?} in {shown}", way.fields, found.missed()));
    }
    // Else nothing could have been shown.
    if way.masked && !shown.contains("••••") {
        wrong.push(format!("{:?}: no secret is used: {shown}", way.fields));
    }
    wrong
}

/// All texts of a document, as they are meant.
fn strings(document: &Value) -> Vec<String> {
    match document {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(members) => members.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

/// A destination: its configuration, and the fields that have a value.
struct Way<'a> {
    connector: &'a Arc<Connector>,
    number: i64,
    config: Value,
    fields: &'a [&'a str],
    /// Something of it stands in the request, masked.
    masked: bool,
}

#[tokio::test]
async fn no_preview_of_the_webhook_shows_a_secret() {
    let (sandbox, world) = (sandbox_alone(), World::start().await);
    let connector = sandbox.load(railhead_plugins::WEBHOOK).await.unwrap();
    let url = format!("{}/echo", world.own.origin);
    let token = |auth| {
        let token_url = format!("{}/token", world.token.origin);
        json!({ "url": url, "signatures": [], "oauth2": { "token_url": token_url, "client_id": "public", "client_auth": auth } })
    };
    let custom = |encoding| json!([{ "scheme": "custom", "header": "x-signed", "secret_encoding": encoding }]);
    let (signed, plain) = (json!({ "url": url }), json!({ "url": url, "signatures": [] }));
    let ways: [(Value, &[&str], bool); 13] = [
        (signed.clone(), &["signing_secret"], false),
        (json!({ "url": url, "signatures": custom("utf8") }), &["signing_secret"], false),
        (json!({ "url": url, "signatures": custom("base64") }), &["signing_secret"], false),
        (signed.clone(), &["ed25519_key"], false),
        (plain.clone(), &["bearer_token"], true),
        (json!({ "url": url, "signatures": [], "basic_user": "public" }), &["basic_password"], true),
        (plain.clone(), &["api_key"], true),
        (plain.clone(), &["headers"], true),
        (json!({ "signatures": [] }), &["url"], true),
        (token("body"), &["oauth2_client_secret"], true),
        (token("basic"), &["oauth2_client_secret"], true),
        (plain, &["tls_identity"], false),
        (signed, &["signing_secret", "ed25519_key", "headers", "tls_identity", "bearer_token"], true),
    ];
    let mut wrong = Vec::new();
    for (number, (mut config, fields, masked)) in (1..).zip(ways) {
        // The connector reads it: what JSON wrote once more stands in the request as JSON writes it.
        config["headers"] = json!({ "x-planted": format!("{} {}", planted().join(" "), json!(PLANTED_QUOTED)) });
        let way = Way { connector: &connector, number, config, fields, masked };
        wrong.extend(wrong_in(&sandbox, &world, &way, call()).await);
        wrong.extend(wrong_in(&sandbox, &world, &way, Call { batched: true, ..call() }).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!((world.own.count(), world.token.count(), run::all_leave(&sandbox).await), (0, 0, None));
}

#[tokio::test]
async fn no_preview_of_a_guest_that_uses_every_kind_shows_a_secret() {
    let (sandbox, world) = (sandbox_alone(), World::start().await);
    let guest = HOSTILE.iter().find(|guest| guest.name == "credentials-dying").unwrap();
    let connector = sandbox.load(guest.component).await.unwrap();
    let config = json!({ "url": world.own.origin, "token": world.token.origin, "planted": planted() });
    let names: Vec<&str> = connector.manifest.credentials.iter().map(|field| field.name.as_str()).collect();
    let mut wrong = Vec::new();
    for (number, fields) in (1..).zip(names.chunks(1).chain([&names[..]])) {
        let masked = ["text", "link", "map", "client_secret"].iter().any(|name| fields.contains(name));
        let way = Way { connector: &connector, number, config: config.clone(), fields, masked };
        wrong.extend(wrong_in(&sandbox, &world, &way, call()).await);
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!((names.len(), world.own.count(), world.token.count()), (9, 0, 0));
}
