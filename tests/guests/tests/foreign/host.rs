//! A host inside the test: composed as the real one is, with one connector more.

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use railhead_api::{ApiState, SettingsKey};
use railhead_delivery::connectors::{CheckStep, Connectors, HandOver, Settle, Settled};
use railhead_delivery::{Catalog, Parts, Running};
use railhead_model::{Clock, DestinationNo, Reason, SystemClock, Transcript};
use railhead_sandbox::egress::{Egress, EgressPolicy};
use railhead_sandbox::secret::Secret;
use railhead_sandbox::{Call, CallEvent, Connector, CredentialValue, Sandbox, SandboxConfig, Target};
use railhead_store::Directory as _;
use railhead_store::directory::Expect;
use railhead_store_sqlite::SqliteStore;
use railhead_vault::{MasterKey, MasterKeys, SystemRandom, Vault};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tower::ServiceExt as _;

/// Of environment `live`, with every scope.
pub const KEY: &str = "rk_live_foreign_0123456789abcdefghijklmnop";
/// The name of the connector.
pub const CONNECTOR: &str = "hostile-credentials-dying";

pub struct Host {
    router: Router,
    running: Running,
    store: SqliteStore,
    master: Vec<u8>,
    answers: Mutex<Vec<(String, Vec<u8>)>>,
}

impl Host {
    /// Starts one; `roots`: whom it trusts beside the system's.
    pub async fn start(folder: &Path, component: &[u8], roots: &[u8]) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let store = SqliteStore::open(&folder.join("railhead.db"), railhead_store_sqlite::Options::default()).await;
        let store = store.expect("a store");
        store.put_environment("live", &json!({}), Expect::Anything).await.expect("stored");
        let key = MasterKey::generate(&SystemRandom);
        let master = key.to_text().as_bytes().trim_ascii().to_vec();
        let vault = Arc::new(Vault::new(MasterKeys::one(key), Arc::new(SystemRandom)));

        let allow = ["127.0.0.0/8", "::1/128"].map(|network| network.parse().expect("a network")).to_vec();
        let egress = Egress::new(EgressPolicy { allow, ..EgressPolicy::default() }, Some(roots)).expect("roots");
        let sandbox = Sandbox::new(SandboxConfig::default(), Arc::new(egress), Arc::clone(&clock)).expect("a sandbox");
        let connector = sandbox.load(component).await.expect("a connector");
        let catalog = Arc::new(Catalog::new([connector.manifest.clone()]));
        let connectors = Arc::new(Sandboxed { sandbox, connector, vault: Arc::clone(&vault) });
        let parts = Parts {
            store: Arc::new(store.clone()),
            vault: Arc::clone(&vault),
            connectors,
            catalog: Arc::clone(&catalog),
            clock: Arc::clone(&clock),
            options: railhead_delivery::Options::default(),
        };
        let running = railhead_delivery::start(parts).await.expect("it joins");
        let hash = railhead_api::keys::hash(KEY);
        let keys = vec![SettingsKey { hash, environment: Some("live".to_owned()), scopes: vec!["*".to_owned()] }];
        let now = Arc::clone(&clock);
        let credential_check: railhead_api::state::CredentialCheck = Arc::new(move |field, text| {
            Secret::parse(&field.name, field.kind, field.usage, &field.origins, text.as_bytes())
                .and_then(|secret| secret.check_at(now.now()))
                .map_err(|error| error.message)
        });
        let options = railhead_api::Options { keys, credential_check, ..Default::default() };
        let (shared, delivery) = (Arc::new(store.clone()), running.delivery.clone());
        let state = ApiState::new(shared, vault, delivery, &catalog, clock, Arc::new(SystemRandom), options).await;
        let router = railhead_api::router(state.expect("a state"));
        Self { router, running, store, master, answers: Mutex::default() }
    }

    /// The master key as it is written down.
    pub fn master(&self) -> Vec<u8> {
        self.master.clone()
    }

    /// Every answer so far, and what it answered.
    pub fn answers(&self) -> Vec<(String, Vec<u8>)> {
        self.answers.lock().expect("not poisoned").clone()
    }

    /// Any request; no body where it is null.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> (u16, Value) {
        let request =
            http::Request::builder().method(method).uri(path).header("authorization", format!("Bearer {KEY}"));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = request.body(Body::from(bytes)).expect("a request");
        let answer = self.router.clone().oneshot(request).await.expect("infallible");
        let (status, head) = (answer.status().as_u16(), format!("{:?} {:?}\n", answer.status(), answer.headers()));
        let body = to_bytes(answer.into_body(), usize::MAX).await.expect("a body");
        let whole = [head.as_bytes(), &body].concat();
        self.answers.lock().expect("not poisoned").push((format!("{method} {path}"), whole));
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// A request of JSON that is answered like this.
    pub async fn json(&self, method: &str, path: &str, body: &Value, status: u16) -> Value {
        let (came, answer) = self.send(method, path, &[("content-type", "application/json")], body).await;
        assert_eq!(came, status, "{method} {path}: {answer}");
        answer
    }

    /// The delivery at a destination, once an attempt at it is on record.
    pub async fn tried(&self, destination: &str) -> Value {
        let path = format!("/v1/tenants/acme/deliveries?destination={destination}");
        for _ in 0..600 {
            let page = self.json("GET", &path, &Value::Null, 200).await;
            if page["data"][0]["attempts"].as_u64().is_some_and(|attempts| attempts > 0) {
                return page["data"][0].clone();
            }
            // What the engine does shows when it is recorded; nothing tells when.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no attempt at {destination} in 60 s");
    }

    /// Ends in order: the store is then one file.
    pub async fn end(self) {
        self.running.shutdown().await;
        drop(self.router);
        self.store.close().await;
    }
}

/// The sandbox as the engine's connectors, as the composition root has it, but that it keeps nothing.
struct Sandboxed {
    sandbox: Arc<Sandbox>,
    connector: Arc<Connector>,
    vault: Arc<Vault>,
}

impl Sandboxed {
    fn target(&self, HandOver { tenant, destination, .. }: &HandOver) -> Target {
        let binding = railhead_delivery::keyring::binding(tenant.environment, &tenant.id);
        let keys = self.vault.open_tenant(&binding, &tenant.wrapped_key).expect("its key");
        let credentials = destination.credentials.iter().map(|one| {
            let field = self.connector.manifest.credentials.iter().find(|field| field.name == one.field).expect("it");
            let value = keys.open_credential(destination.no, &one.field, one.version, &one.sealed).expect("opens");
            let (kind, usage, version) = (field.kind, field.usage, i64::from(one.version));
            CredentialValue { field: one.field.clone(), version, kind, usage, value }
        });
        Target {
            connector: Arc::clone(&self.connector),
            tenant: destination.tenant.0,
            tenant_id: tenant.id.to_string(),
            destination: destination.no.0,
            revision: destination.revision,
            config: Value::Object(destination.spec.config.clone()),
            credentials: credentials.collect(),
        }
    }
}

fn call(hand_over: &HandOver) -> Call {
    let event = |handed: &railhead_delivery::connectors::Handed| CallEvent {
        event: Arc::clone(&handed.event),
        attempt: handed.attempt,
        traceparent: None,
    };
    Call {
        batch_id: hand_over.batch_id.clone(),
        batched: hand_over.batched,
        deadline_ms: hand_over.deadline_ms,
        events: hand_over.events.iter().map(event).collect(),
    }
}

#[async_trait]
impl Connectors for Sandboxed {
    async fn deliver(&self, hand_over: HandOver, settle: Arc<dyn Settle>) {
        let translate = |event: railhead_sandbox::SettledEvent| Settled {
            index: event.index,
            outcome: event.outcome,
            transcript: event.transcript,
            started_at: event.started_at,
            duration_ms: event.duration_ms,
        };
        let sink = move |settled: Vec<_>| settle.settle(settled.into_iter().map(translate).collect());
        self.sandbox.deliver(self.target(&hand_over), call(&hand_over), Arc::new(sink)).await;
    }

    async fn check(&self, hand_over: HandOver) -> Result<Vec<CheckStep>, Reason> {
        let steps = self.sandbox.check(self.target(&hand_over), call(&hand_over)).await?;
        Ok(steps.into_iter().map(|result| CheckStep { result }).collect())
    }

    async fn preview(&self, hand_over: HandOver) -> Result<Vec<Transcript>, Reason> {
        let shown = self.sandbox.preview(self.target(&hand_over), call(&hand_over)).await?;
        let one = |(_, exchange): (_, railhead_model::Exchange)| Transcript {
            exchanges: vec![exchange.into()],
            ..Transcript::default()
        };
        Ok(shown.into_iter().map(one).collect())
    }

    fn retire(&self, destination: DestinationNo) {
        self.sandbox.retire(destination.0);
    }
}
