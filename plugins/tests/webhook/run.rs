//! Destinations of the webhook connector.

use railhead_model::{Clock, Event, Exchange, Outcome, Reason, SystemClock, Timestamp, Transcript};
use railhead_plugin_harness::{self as harness, Connector, Harness, SettledEvent};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::OnceCell;

/// One sandbox for all tests: the component is compiled once.
static HOST: OnceCell<(Harness, Arc<Connector>)> = OnceCell::const_new();

/// Long enough on a busy machine; nothing waits for it unless a test says so.
const DEADLINE_MS: u32 = 30_000;

async fn host() -> &'static (Harness, Arc<Connector>) {
    HOST.get_or_init(|| async {
        let harness = Harness::new().unwrap();
        let connector = harness.load(railhead_plugins::WEBHOOK).await.unwrap();
        (harness, connector)
    })
    .await
}

pub fn now() -> Timestamp {
    SystemClock::new().now()
}

/// An event of JSON data, accepted just now.
pub fn event(data: &[u8]) -> Event {
    Event { accepted_at: now(), ..harness::event(data) }
}

/// A destination of its own; `credentials` in the order field, value, newest first.
pub struct Destination(harness::Destination);

impl Destination {
    pub async fn new(config: Value, credentials: &[(&str, &str)]) -> Self {
        let (harness, connector) = host().await;
        Self(harness.destination(connector, config).credentials(credentials).deadline_ms(DEADLINE_MS))
    }

    /// Signed with a fixed secret.
    pub async fn at(url: &str) -> Self {
        Self::new(json!({ "url": url }), &[("signing_secret", SECRET)]).await
    }

    pub fn deadline_ms(self, deadline_ms: u32) -> Self {
        Self(self.0.deadline_ms(deadline_ms))
    }

    /// What is handed over is one batch.
    pub fn batched(self) -> Self {
        Self(self.0.batched())
    }

    /// What each event came to, in their order.
    pub async fn deliver(&self, events: Vec<Event>) -> Vec<(Outcome, Transcript)> {
        self.0.deliver(events).await.into_iter().map(came).collect()
    }

    pub async fn deliver_one(&self, event: Event) -> (Outcome, Transcript) {
        came(self.0.deliver_one(event).await)
    }

    pub async fn preview(&self, event: Event) -> Vec<(Vec<u32>, Exchange)> {
        self.try_preview(event).await.unwrap()
    }

    pub async fn try_preview(&self, event: Event) -> Result<Vec<(Vec<u32>, Exchange)>, Reason> {
        self.0.preview(vec![event]).await
    }

    pub async fn check(&self) -> Vec<Result<String, Reason>> {
        self.0.check().await.unwrap()
    }
}

fn came(event: SettledEvent) -> (Outcome, Transcript) {
    (event.outcome, event.transcript)
}

/// `whsec_` and 24 bytes in base64.
pub const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";
