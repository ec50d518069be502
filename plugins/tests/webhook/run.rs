//! Runs the connector as the host does.

use bytes::Bytes;
use railhead_model::event::Head;
use railhead_model::manifest::Manifest;
use railhead_model::{Clock, Event, EventUid, Outcome, Reason, SystemClock, Timestamp, Transcript};
use railhead_sandbox::egress::{Egress, EgressPolicy};
use railhead_sandbox::{Call, CallEvent, Connector, CredentialValue, Sandbox, SandboxConfig, SettledEvent, Target};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::OnceCell;

/// One sandbox for all tests: the component is compiled once.
static HOST: OnceCell<(Arc<Sandbox>, Arc<Connector>)> = OnceCell::const_new();
static NEXT: AtomicI64 = AtomicI64::new(1);

/// Long enough on a busy machine; nothing waits for it unless a test says so.
const DEADLINE_MS: u32 = 30_000;

async fn host() -> &'static (Arc<Sandbox>, Arc<Connector>) {
    HOST.get_or_init(|| async {
        let policy = EgressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], ..EgressPolicy::default() };
        let egress = Arc::new(Egress::new(policy, None).unwrap());
        let config = SandboxConfig { max_instances: 64, cpu_budget_ms: 10_000, ..SandboxConfig::default() };
        let sandbox = Sandbox::new(config, egress, Arc::new(SystemClock::new())).unwrap();
        let connector = sandbox.load(railhead_plugins::WEBHOOK).await.unwrap();
        (sandbox, connector)
    })
    .await
}

pub fn now() -> Timestamp {
    SystemClock::new().now()
}

/// An event of JSON data.
pub fn event(data: &[u8]) -> Event {
    let at = now();
    Event {
        uid: EventUid::new(at, [7; 10]),
        id: "ord_1".to_owned(),
        event_type: "order.created".to_owned(),
        accepted_at: at,
        head: Head {
            source: "/shop".to_owned(),
            time: "2026-01-01T00:00:00.000Z".to_owned(),
            content_type: "application/json".to_owned(),
            ..Head::default()
        },
        data: Bytes::copy_from_slice(data),
    }
}

/// A destination of its own; `credentials` in the order field, value, newest first.
pub struct Destination {
    target: Arc<Target>,
    deadline_ms: u32,
    batched: bool,
}

impl Destination {
    pub async fn new(config: Value, credentials: &[(&str, &str)]) -> Self {
        let (_, connector) = host().await;
        let no = NEXT.fetch_add(1, Ordering::Relaxed);
        let target = Target {
            connector: connector.clone(),
            // Each its own: a tenant has a share of the sessions, and tests run side by side.
            tenant: no,
            tenant_id: "acme".to_owned(),
            destination: no,
            revision: 1,
            config,
            credentials: credential_values(&connector.manifest, credentials),
        };
        Self { target: Arc::new(target), deadline_ms: DEADLINE_MS, batched: false }
    }

    /// Signed with a fixed secret.
    pub async fn at(url: &str) -> Self {
        Self::new(json!({ "url": url }), &[("signing_secret", SECRET)]).await
    }

    pub fn deadline_ms(self, deadline_ms: u32) -> Self {
        Self { deadline_ms, ..self }
    }

    /// What is handed over is one batch.
    pub fn batched(self) -> Self {
        Self { batched: true, ..self }
    }

    /// What each event came to, in their order.
    pub async fn deliver(&self, events: Vec<Event>) -> Vec<(Outcome, Transcript)> {
        let settled: Arc<Mutex<Vec<SettledEvent>>> = Arc::default();
        let keep = settled.clone();
        let settle = Arc::new(move |new: Vec<_>| keep.lock().unwrap().extend(new));
        host().await.0.deliver(self.target.clone(), self.call(events), settle).await;
        let mut settled = std::mem::take(&mut *settled.lock().unwrap());
        settled.sort_by_key(|event| event.index);
        settled.into_iter().map(|event| (event.outcome, event.transcript)).collect()
    }

    pub async fn deliver_one(&self, event: Event) -> (Outcome, Transcript) {
        let mut settled = self.deliver(vec![event]).await;
        assert_eq!(settled.len(), 1);
        settled.remove(0)
    }

    pub async fn preview(&self, event: Event) -> Vec<(Vec<u32>, railhead_model::Exchange)> {
        self.try_preview(event).await.unwrap()
    }

    pub async fn try_preview(&self, event: Event) -> Result<Vec<(Vec<u32>, railhead_model::Exchange)>, Reason> {
        host().await.0.preview(self.target.clone(), self.call(vec![event])).await
    }

    pub async fn check(&self) -> Vec<Result<String, Reason>> {
        host().await.0.check(self.target.clone(), self.call(Vec::new())).await.unwrap()
    }

    fn call(&self, events: Vec<Event>) -> Call {
        let traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
        let events = events
            .into_iter()
            .map(|event| CallEvent { event: Arc::new(event), attempt: 1, traceparent: traceparent.clone() })
            .collect();
        Call { batch_id: "batch-1".to_owned(), batched: self.batched, deadline_ms: self.deadline_ms, events }
    }
}

/// `whsec_` and 24 bytes in base64.
pub const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

fn credential_values(manifest: &Manifest, given: &[(&str, &str)]) -> Vec<CredentialValue> {
    (1_i64..)
        .zip(given)
        .map(|(version, (name, value))| {
            let field = manifest.credentials.iter().find(|field| field.name == *name).expect(name);
            CredentialValue {
                field: field.name.clone(),
                version,
                kind: field.kind,
                usage: field.usage,
                value: value.as_bytes().to_vec().into(),
            }
        })
        .collect()
}
