//! A sandbox that may reach the loopback, a receiver there, and calls.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use railhead_model::event::Head;
use railhead_model::manifest::{CredentialKind, CredentialUse};
use railhead_model::{Clock, Event, EventUid, Outcome, SystemClock, Timestamp};
use railhead_sandbox::egress::{Egress, EgressPolicy};
use railhead_sandbox::{
    Call, CallEvent, Connector, CredentialValue, Sandbox, SandboxConfig, Settle, SettledEvent, Target,
};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A sandbox whose guests have 300 ms of CPU.
pub fn sandbox() -> Arc<Sandbox> {
    sandbox_with(SandboxConfig { max_instances: 40, cpu_budget_ms: 300, ..SandboxConfig::default() })
}

pub fn sandbox_with(config: SandboxConfig) -> Arc<Sandbox> {
    sandbox_at(config, Arc::new(SystemClock::new()))
}

pub fn sandbox_at(config: SandboxConfig, clock: Arc<dyn Clock>) -> Arc<Sandbox> {
    let policy = EgressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], ..EgressPolicy::default() };
    let egress = Egress::new(policy, None).unwrap();
    Sandbox::new(config, Arc::new(egress), clock).unwrap()
}

/// A clock that stands still, so many milliseconds after the start.
#[derive(Default)]
pub struct Ahead(pub AtomicU64);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000)
    }

    fn monotonic_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A destination of this configuration: each time a new revision of the same one.
pub fn target(connector: &Arc<Connector>, config: Value) -> Arc<Target> {
    static REVISION: AtomicI64 = AtomicI64::new(1);
    Arc::new(Target {
        connector: connector.clone(),
        tenant: 1,
        tenant_id: "acme".to_owned(),
        destination: 7,
        revision: REVISION.fetch_add(1, Ordering::Relaxed),
        config,
        credentials: vec![
            credential("signing_secret", CredentialKind::Bytes, CredentialUse::SignRequest, SECRET),
            credential("api_key", CredentialKind::Text, CredentialUse::Place, "sk_live_0123456789"),
        ],
    })
}

fn credential(field: &str, kind: CredentialKind, usage: CredentialUse, value: &str) -> CredentialValue {
    CredentialValue { field: field.to_owned(), version: 1, kind, usage, value: value.as_bytes().to_vec().into() }
}

pub async fn misbehaving(sandbox: &Sandbox) -> Arc<Connector> {
    sandbox.load(railhead_test_guests::MISBEHAVE).await.unwrap()
}

pub fn call(events: u8, deadline_ms: u32) -> Call {
    let events = (0..events).map(|n| CallEvent { event: event(n), attempt: 1, traceparent: None }).collect();
    Call { batch_id: "batch-1".to_owned(), batched: false, deadline_ms, events }
}

pub fn event(n: u8) -> Arc<Event> {
    let at = Timestamp(1_700_000_000_000);
    Arc::new(Event {
        uid: EventUid::new(at, [n; 10]),
        id: format!("order-{n}"),
        event_type: "order.created".to_owned(),
        accepted_at: at,
        head: Head {
            source: "/".to_owned(),
            time: at.to_string(),
            content_type: "application/json".to_owned(),
            ..Head::default()
        },
        data: bytes::Bytes::from(format!("{{\"n\": {n} }}")),
    })
}

/// Hands events over; outcomes in the order in which they were settled.
pub async fn deliver(sandbox: &Sandbox, target: &Arc<Target>, call: Call) -> Vec<SettledEvent> {
    let settled = Arc::new(Mutex::new(Vec::new()));
    let keep = settled.clone();
    let settle: Settle = Arc::new(move |settled| keep.lock().unwrap().extend(settled));
    sandbox.deliver(target.clone(), call, settle).await;
    let mut settled = settled.lock().unwrap();
    std::mem::take(&mut settled)
}

/// Class and code of each event, by index.
pub fn summary(settled: &[SettledEvent]) -> Vec<(&'static str, String)> {
    let mut settled: Vec<&SettledEvent> = settled.iter().collect();
    settled.sort_by_key(|event| event.index);
    let indexes: Vec<usize> = settled.iter().map(|event| event.index).collect();
    assert_eq!(indexes, (0..settled.len()).collect::<Vec<_>>(), "each event exactly once");
    settled.iter().map(|event| word(&event.outcome)).collect()
}

pub fn word(outcome: &Outcome) -> (&'static str, String) {
    (outcome.class().as_str(), outcome.reason().code.clone())
}

pub fn behave(behave: &str) -> Value {
    json!({ "behave": behave })
}

/// Keeps what arrives.
#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    pub got: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    answer: Answer,
}

#[derive(Clone, Copy)]
pub enum Answer {
    Status(u16),
    Never,
}

impl Receiver {
    pub async fn start(answer: Answer) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let receiver = Self { url, got: Arc::default(), answer };
        let app = Router::new().fallback(receive).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        receiver
    }

    pub fn count(&self) -> usize {
        self.got.lock().unwrap().len()
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    receiver.got.lock().unwrap().push((headers, body));
    match receiver.answer {
        Answer::Status(status) => StatusCode::from_u16(status).unwrap(),
        Answer::Never => std::future::pending().await,
    }
}

/// Waits for something that another thread is about to do.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}
