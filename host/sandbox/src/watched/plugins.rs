//! The same for plugins that log in and sign: with key pairs, sessions of roles and passwords.

use super::world::{World, call};
use super::{Watch, canary, count, looks, sandbox, search};
use crate::{Call, CredentialValue, Sandbox, Target};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::IntoResponse;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

mod postgres;

/// A hand-over whose events have what is planted in an attribute: connectors take no free text in their configuration.
fn planted_call() -> Call {
    let mut call = call();
    for given in &mut call.events {
        let mut event = (*given.event).clone();
        let planted = format!("{} {}", search::planted().join(" "), json!(search::PLANTED_QUOTED));
        event.head.attributes.insert("planted".to_owned(), planted);
        given.event = Arc::new(event);
    }
    call
}

/// Delivers, previews and goes: every event arrived, no look found a secret, and each of a call that was given what is
/// planted found that.
async fn is_clean(watch: &Watch, sandbox: &Arc<Sandbox>, target: Arc<Target>) {
    let settled = Arc::new(Mutex::new(Vec::new()));
    let keep = settled.clone();
    let settle = Arc::new(move |more| keep.lock().unwrap().extend(more));
    sandbox.deliver(target.clone(), planted_call(), settle).await;
    let settled = std::mem::take(&mut *settled.lock().unwrap());
    let outcomes: Vec<_> = settled.iter().map(|event| &event.outcome).collect();
    let delivered = outcomes.iter().all(|outcome| outcome.class().as_str() == "delivered");
    assert!(outcomes.len() == 2 && delivered, "{}: {outcomes:?}", target.config);
    sandbox.preview(target.clone(), planted_call()).await.unwrap();
    sandbox.retire(target.destination);
    let looks = looks(watch, sandbox).await;
    let secrets: Vec<_> = looks.iter().flat_map(|look| &look.found.secrets).collect();
    assert_eq!(secrets, Vec::<&String>::new(), "{}", target.config);
    let missed: Vec<_> = looks
        .iter()
        .filter(|look| ["Deliver", "Preview"].contains(&look.call.as_str()))
        .map(|look| look.found.missed())
        .collect();
    assert_eq!(missed, [Vec::<String>::new(), Vec::new()], "{}", target.config);
    assert_eq!(count(&looks, "Open"), 2, "the preview has a session of its own");
}

/// A value of a field of the target's, in the place of the one that it has.
fn with_value(target: Arc<Target>, field: &str, value: impl Into<Vec<u8>>) -> Arc<Target> {
    let mut target = Arc::unwrap_or_clone(target);
    let known = target.credentials.iter_mut().find(|given| given.field == field).expect("it is given");
    let (kind, usage) = (known.kind, known.usage);
    *known = CredentialValue { field: field.to_owned(), version: 1, kind, usage, value: value.into().into() };
    Arc::new(target)
}

/// A store that sends back whatever it is sent.
#[derive(Clone, Default)]
struct Store {
    /// Requests with a signature.
    signed: Arc<AtomicUsize>,
    /// Requests with the token of a session.
    sessions: Arc<AtomicUsize>,
}

/// Serves on a port of its own; the origin.
async fn serving(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    origin
}

async fn stored(State(store): State<Store>, mut headers: HeaderMap, body: axum::body::Bytes) -> impl IntoResponse {
    if headers.get("authorization").is_some_and(|value| value.as_bytes().starts_with(b"AWS4-HMAC-SHA256 ")) {
        store.signed.fetch_add(1, Ordering::Relaxed);
    }
    if headers.contains_key("x-amz-security-token") {
        store.sessions.fetch_add(1, Ordering::Relaxed);
    }
    for of_the_connection in ["host", "content-length", "transfer-encoding", "connection"] {
        headers.remove(of_the_connection);
    }
    headers.insert("etag", HeaderValue::from_static("\"0123456789abcdef\""));
    (headers, body)
}

/// AssumeRole's answer, with secrets that are looked for.
async fn assumed() -> impl IntoResponse {
    let (secret, token) = (canary::AWS_SECRET, canary::TOKEN);
    let xml = format!(
        "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAPUBLIC0000001</AccessKeyId>\
         <SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>\
         <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    );
    ([("content-type", "text/xml")], xml)
}

#[tokio::test]
async fn the_s3_connector_has_no_secret_in_its_memory_when_a_call_ends() {
    let (watch, world) = (Watch::default(), World::start().await);
    let sandbox = sandbox(&watch);
    let connector = sandbox.load(railhead_plugins::S3).await.unwrap();
    let pair = json!({ "access_key_id": "AKIAPUBLIC", "secret_access_key": canary::AWS_SECRET }).to_string();
    let with_session = json!({
        "access_key_id": "AKIAPUBLIC",
        "secret_access_key": canary::AWS_SECRET,
        "session_token": canary::AWS_SESSION,
    });
    let role = Some("arn:aws:iam::111122223333:role/railhead");
    let ways = [(pair.clone(), None, 0), (with_session.to_string(), None, 2), (pair, role, 2)];
    for (number, (keys, role, sessions)) in (1..).zip(ways) {
        let store = Store::default();
        let origin = serving(Router::new().fallback(stored).with_state(store.clone())).await;
        let mut config =
            json!({ "bucket": "events", "region": "eu-west-1", "endpoint": origin, "compression": "none" });
        if let Some(role) = role {
            config["role_arn"] = role.into();
            config["sts_endpoint"] = serving(Router::new().fallback(assumed)).await.into();
        }
        let target = world.target_of(&connector, number, config, |name| name == "keys");
        is_clean(&watch, &sandbox, with_value(target, "keys", keys)).await;
        let counts = (store.signed.load(Ordering::Relaxed), store.sessions.load(Ordering::Relaxed));
        assert_eq!(counts, (2, sessions), "each object is signed");
    }
}

#[tokio::test]
async fn the_postgres_connector_has_no_secret_in_its_memory_when_a_call_ends() {
    let (watch, world) = (Watch::default(), World::start().await);
    let sandbox = sandbox(&watch);
    let connector = sandbox.load(railhead_plugins::POSTGRES).await.unwrap();
    for (number, login) in (1..).zip([postgres::Login::Scram, postgres::Login::Md5]) {
        let server = postgres::Server::start(login).await;
        let config = json!({ "host": "127.0.0.1", "port": server.port, "database": "d", "user": postgres::USER });
        let target = world.target_of(&connector, number, config, |_| true);
        let identity = format!("{}{}{}", canary::IDENTITY.0, canary::IDENTITY.1, server.authority);
        is_clean(&watch, &sandbox, with_value(target, "tls_identity", identity)).await;
        assert_eq!(server.logins(), 1, "{login:?}");
    }
}
