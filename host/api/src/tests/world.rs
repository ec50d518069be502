//! A host in a box: two environments, keys, a tenant with a destination, an event that was delivered.

use crate::auth::SCOPES;
use crate::keys::hash;
use crate::{ApiState, Options, SettingsKey, router};
use axum::Router;
use axum::body::{Body, to_bytes};
use http::{HeaderMap, Method, Request};
use railhead_delivery::connectors::{CheckStep, Connectors, HandOver, Settle, Settled};
use railhead_delivery::{Catalog, Parts, Running};
use railhead_model::{
    BodyPart, Clock, DestinationNo, Exchange, ExchangeRequest, ExchangeResponse, Header, Outcome, Reason, SystemClock,
    Timestamp, Timings, Transcript,
};
use railhead_store::Directory as _;
use railhead_store::directory::Expect;
use railhead_store::model::ModelStore;
use railhead_vault::{MasterKey, MasterKeys, SystemRandom, Vault};
use serde_json::{Value, json};
use std::sync::Arc;
use tower::ServiceExt as _;

pub const LIVE: &str = "rk_live_all";
pub const SANDBOX: &str = "rk_sandbox_all";
pub const ADMIN: &str = "rk_admin_test";

/// A key of `live` with every scope but one.
pub fn all_but(scope: &str) -> String {
    format!("rk_live_without_{scope}")
}

pub struct World {
    router: Router,
    pub state: ApiState,
    pub store: ModelStore,
    _running: Running,
}

pub struct Answered {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answered {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        if self.bytes.is_empty() { Value::Null } else { self.json() }
    }

    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.json();
        assert_eq!((self.status, problem["code"].as_str()), (status, Some(code)), "{problem:#}");
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(problem["type"], format!("/problems/{code}"));
        assert_eq!(problem["request_id"].as_str(), self.headers["x-request-id"].to_str().ok());
        problem
    }
}

/// Answers by the path of the destination's URL: `/503` fails for now, `/400` for ever, all else arrives; `/large` answers
/// much.
struct Scripted;

#[async_trait::async_trait]
impl Connectors for Scripted {
    async fn deliver(&self, hand_over: HandOver, settle: Arc<dyn Settle>) {
        let url = hand_over.destination.spec.config["url"].as_str().unwrap_or_default().to_owned();
        for (index, handed) in hand_over.events.iter().enumerate() {
            let (status, outcome) = match url.rsplit('/').next() {
                Some("503") => (503, Outcome::Transient(Reason::new("http-503", "The endpoint answered 503."), None)),
                Some("400") => (400, Outcome::Permanent(Reason::new("http-400", "The endpoint answered 400."))),
                _ => (200, Outcome::Delivered(Reason::new("http-200", "The endpoint answered 200."))),
            };
            let request = ExchangeRequest {
                method: "POST".into(),
                url: url.clone(),
                headers: vec![Header("webhook-id".into(), handed.event.id.clone())],
                body: vec![BodyPart::Text("{\"data\":".into()), BodyPart::EventData, BodyPart::Text("}".into())],
                body_bytes: 9 + handed.event.data.len() as u64,
            };
            let text = if url.ends_with("/large") { "ü".repeat(20_000) } else { "thanks".to_owned() };
            let body_bytes = text.len() as u64;
            let response = ExchangeResponse {
                status,
                body: vec![BodyPart::Text(text)],
                body_bytes,
                ..ExchangeResponse::default()
            };
            let timings = Timings { total_us: 1_500, ..Timings::default() };
            let exchange = Exchange { request, response: Some(response), failure: None, timings };
            let transcript = Transcript { exchanges: vec![exchange.into()], ..Transcript::default() };
            let started_at = SystemClock::new().now();
            settle.settle(vec![Settled { index, outcome, transcript, started_at, duration_ms: 2 }]);
        }
    }

    async fn check(&self, _: HandOver) -> Result<Vec<CheckStep>, Reason> {
        Ok(vec![
            CheckStep { result: Ok("resolved".into()) },
            CheckStep { result: Err(Reason::new("tls", "The certificate has expired.")) },
        ])
    }

    async fn preview(&self, _: HandOver) -> Result<Vec<Transcript>, Reason> {
        Ok(Vec::new())
    }

    fn retire(&self, _: DestinationNo) {}
}

pub fn manifest() -> Value {
    json!({
        "name": "webhook", "version": "0.1.0", "contract": "0.1.0", "label": "Webhook", "category": "http",
        "config_schema": {"type": "object", "additionalProperties": false, "properties": {
            "url": {"type": "string", "pattern": "^https?://"},
            "mode": {"enum": ["standard", "raw"]},
            "headers": {"type": "object", "additionalProperties": {"type": "string"}},
            "header_prefix": {"type": "string"},
            "signatures": {"type": "array"},
            "server": {"type": "object", "properties": {"host": {"type": "string"}, "port": {"type": "integer"}}},
            "oauth2": {"type": "object", "properties": {"token_url": {"type": "string", "pattern": "^https?://"}}},
        }},
        "credentials": [
            {"name": "signing_secret", "label": "Secret", "kind": "bytes", "use": "sign-request", "generate": "whsec",
                "shared": true, "guards": ["/signatures", "/header_prefix"]},
            {"name": "ed25519_key", "label": "Key", "kind": "private-key", "use": "sign-request",
                "guards": ["/signatures", "/header_prefix"]},
            {"name": "bearer_token", "label": "Token", "kind": "text", "use": "place"},
            {"name": "headers", "label": "Sealed headers", "kind": "headers", "use": "place"},
            {"name": "url", "label": "Secret URL", "kind": "url", "use": "url"},
            {"name": "oauth2_client_secret", "label": "Client secret", "kind": "text", "use": "exchange",
                "origins": ["token"], "guards": ["/oauth2"]},
            {"name": "assume_role", "label": "Host's keys", "kind": "aws", "use": "sign-request", "required": true,
                "operator": true},
            {"name": "other_role", "label": "Host's keys", "kind": "aws", "use": "sign-request", "operator": true},
        ],
        "origins": [{"name": "endpoint", "config": "/url"}, {"name": "secret", "credential": "url"},
            {"name": "server", "tcp": {"host": "/server/host", "port": "/server/port"}},
            {"name": "token", "config": "/oauth2/token_url", "token_endpoint": true}],
        "target": "{/url}",
    })
}

fn keys() -> Vec<SettingsKey> {
    let key = |secret: &str, environment: Option<&str>, scopes: Vec<String>| SettingsKey {
        hash: hash(secret),
        environment: environment.map(str::to_owned),
        scopes,
    };
    let mut keys = vec![
        key(LIVE, Some("live"), vec!["*".into()]),
        key(SANDBOX, Some("sandbox"), vec!["*".into()]),
        key(ADMIN, None, Vec::new()),
    ];
    for without in SCOPES {
        let rest = SCOPES.iter().filter(|action| **action != without).map(|action| action.scope().to_owned());
        keys.push(key(&all_but(without.scope()), Some("live"), rest.collect()));
    }
    keys
}

/// A clock that stands still.
struct Stopped(Timestamp);

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        self.0
    }
    fn monotonic_ms(&self) -> u64 {
        1_000
    }
}

fn vault() -> Arc<Vault> {
    Arc::new(Vault::new(MasterKeys::one(MasterKey::generate(&SystemRandom)), Arc::new(SystemRandom)))
}

async fn environments(store: &ModelStore) {
    for name in ["sandbox", "live"] {
        store.put_environment(name, &json!({}), Expect::Absent).await.expect("stored");
    }
}

impl World {
    /// Without tenants.
    pub async fn empty() -> Self {
        let store = ModelStore::embedded();
        environments(&store).await;
        Self::on(store, vault(), Arc::new(SystemClock::new())).await
    }

    /// Two hosts on one store, without tenants. Their clock stands still.
    pub async fn two_hosts() -> (Self, Self) {
        let (store, vault, now) = (ModelStore::new(), vault(), SystemClock::new().now());
        environments(&store).await;
        let host = async || Self::on(store.clone(), Arc::clone(&vault), Arc::new(Stopped(now))).await;
        (host().await, host().await)
    }

    async fn on(store: ModelStore, vault: Arc<Vault>, clock: Arc<dyn Clock>) -> Self {
        let manifest = serde_json::from_value(manifest()).expect("a manifest");
        let catalog = Arc::new(Catalog::new([manifest]));
        let parts = Parts {
            store: Arc::new(store.clone()),
            vault: Arc::clone(&vault),
            connectors: Arc::new(Scripted),
            catalog: Arc::clone(&catalog),
            clock: Arc::clone(&clock),
            options: railhead_delivery::Options::default(),
        };
        let running = railhead_delivery::start(parts).await.expect("starts");
        let options = Options {
            keys: keys(),
            url_check: Arc::new(|url| {
                if url.contains("//10.") { Err("10.0.0.0/8 is a private network.".into()) } else { Ok(()) }
            }),
            operators: [("webhook".to_owned(), "assume_role".to_owned())].into(),
            max_payload: 10_000,
            ..Options::default()
        };
        let (shared, delivery) = (Arc::new(store.clone()), running.delivery.clone());
        let state = ApiState::new(shared, vault, delivery, &catalog, clock, Arc::new(SystemRandom), options)
            .await
            .expect("a state");
        Self { router: router(state.clone()), state, store, _running: running }
    }

    /// With tenant `acme`, its destination `orders`, the event type `order.created` with an example.
    pub async fn new() -> Self {
        let world = Self::empty().await;
        world.put("/v1/tenants/acme", json!({"name": "Acme"})).await.expect(201);
        world.put("/v1/tenants/globex", json!({})).await.expect(201);
        let orders = json!({"connector": "webhook", "config": {"url": "https://hooks.example.com/orders"},
            "event_types": ["order.*"], "credentials": {"bearer_token": "a-token-of-some-length"}});
        world.put("/v1/tenants/acme/destinations/orders", orders).await.expect(201);
        world.put("/v1/event-types/order.created", json!({"examples": [{"order": 1}]})).await.expect(201);
        world
    }

    pub async fn send(&self, key: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answered {
        let method: Method = method.to_uppercase().parse().expect("a method");
        let mut request = Request::builder().method(method).uri(path);
        if !key.is_empty() {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), usize::MAX).await.expect("a body").to_vec();
        Answered { status, headers, bytes }
    }

    pub async fn json(&self, key: &str, method: &str, path: &str, body: Value) -> Answered {
        self.send(key, method, path, &[("content-type", "application/json")], &body.to_string()).await
    }

    pub async fn get(&self, path: &str) -> Answered {
        self.send(LIVE, "get", path, &[], "").await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answered {
        self.json(LIVE, "post", path, body).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answered {
        self.json(LIVE, "put", path, body).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answered {
        self.json(LIVE, "patch", path, body).await
    }

    pub async fn delete(&self, path: &str) -> Answered {
        self.send(LIVE, "delete", path, &[], "").await
    }

    /// Reads a path until it is as wanted: what the engine does shows when it is recorded, and nothing tells when.
    pub async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..1_000 {
            let answer = self.get(path).await.expect(200);
            if wanted(&answer) {
                return answer;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("{path} never came to what was wanted: {:#}", self.get(path).await.json());
    }

    /// Publishes one event of acme and answers with what became of it.
    pub async fn delivered(&self, id: &str) -> Value {
        let event = json!({"tenant": "acme", "type": "order.created", "id": id, "data": {"order": 1}});
        self.post("/v1/events", event).await.expect(202);
        let path = format!("/v1/tenants/acme/events/{id}");
        self.until(&path, |event| event["destinations"][0]["state"] == "delivered").await
    }
}
