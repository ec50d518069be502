//! Destinations of the postgres connector.

use crate::server::{PASSWORD, Schema, Server, USER};
use railhead_model::{BodyPart, Event, EventUid, Exchange, Outcome, Reason, Timestamp, Transcript};
use railhead_plugin_harness::{self as harness, Connector, Harness};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::OnceCell;

/// One sandbox for all tests: the component is compiled once.
static HOST: OnceCell<(Harness, Arc<Connector>)> = OnceCell::const_new();

async fn host() -> &'static (Harness, Arc<Connector>) {
    HOST.get_or_init(|| async {
        let harness = Harness::new().unwrap();
        let connector = harness.load(railhead_plugins::POSTGRES).await.unwrap();
        (harness, connector)
    })
    .await
}

/// When events of tests were accepted.
const ACCEPTED: Timestamp = Timestamp(1_767_225_600_000);

/// An event of JSON data: number 3 is `ord_0003`.
pub fn event(number: u16, data: &str) -> Event {
    let [high, low] = number.to_be_bytes();
    let uid = EventUid::new(ACCEPTED, [0, 0, 0, 0, 0, 0, 0, 0, high, low]);
    Event { uid, id: format!("ord_{number:04}"), data: data.to_owned().into(), ..harness::event(b"") }
}

/// So many of them.
pub fn events(count: u16) -> Vec<Event> {
    (0..count).map(|number| event(number, &format!("{{\"order\":{number}}}"))).collect()
}

/// A destination of its own.
#[derive(Clone)]
pub struct Destination {
    alone: harness::Destination,
    used: harness::Destination,
}

impl Destination {
    /// In this schema, as the usual role; `more` goes over the usual settings.
    pub async fn new(server: &Server, schema: &Schema, more: Value) -> Self {
        let mut config = json!({
            "host": "localhost", "port": server.port, "database": "postgres", "user": USER, "schema": schema.name,
        });
        for (name, value) in more.as_object().unwrap() {
            config[name] = value.clone();
        }
        Self::of(config, &server.authority.pem()).await
    }

    /// With this configuration, trusting this authority.
    pub async fn of(config: Value, authority: &str) -> Self {
        let (harness, connector) = host().await;
        let destination = harness.destination(connector, config);
        Self::batched(destination.credentials(&[("password", PASSWORD), ("tls_identity", authority)]))
    }

    /// With this configuration, and the usual password alone.
    pub async fn without_authority(config: Value) -> Self {
        let (harness, connector) = host().await;
        Self::batched(harness.destination(connector, config).credential("password", PASSWORD))
    }

    /// Without TLS, at another port: for those who listen in between.
    pub async fn plain(port: u16, schema: &Schema) -> Self {
        let config = json!({
            "host": "127.0.0.1", "port": port, "database": "postgres", "user": USER, "schema": schema.name,
            "sslmode": "disable",
        });
        Self::without_authority(config).await
    }

    fn batched(destination: harness::Destination) -> Self {
        Self { used: destination.clone().batched(), alone: destination }
    }

    /// Each event goes by itself.
    pub fn unbatched(self) -> Self {
        Self { used: self.alone.clone(), ..self }
    }

    /// Only this password, and no authority.
    pub fn with_credentials(self, given: &[(&str, &str)]) -> Self {
        Self::batched(self.alone.rotated(given))
    }

    pub fn deadline_ms(self, ms: u32) -> Self {
        Self { used: self.used.deadline_ms(ms), ..self }
    }

    /// What each event came to, in their order.
    pub async fn deliver(&self, events: Vec<Event>) -> Vec<Outcome> {
        self.used.deliver(events).await.into_iter().map(|settled| settled.outcome).collect()
    }

    /// What all of these events came to: the same.
    pub async fn outcome(&self, events: Vec<Event>) -> Outcome {
        let mut outcomes = self.deliver(events).await;
        let first = outcomes.remove(0);
        assert!(outcomes.iter().all(|outcome| *outcome == first), "{outcomes:?}");
        first
    }

    /// Ends its sessions in order.
    pub fn retire(&self) {
        self.used.retire();
    }

    /// What went over the wire for these events, as their records show it.
    pub async fn records(&self, events: Vec<Event>) -> Vec<(Outcome, Transcript)> {
        self.used.deliver(events).await.into_iter().map(|settled| (settled.outcome, settled.transcript)).collect()
    }

    /// What would be sent, as request and answer.
    pub async fn preview(&self, events: Vec<Event>) -> Vec<(Vec<u32>, (String, String))> {
        let shown = self.used.preview(events).await.unwrap();
        shown.into_iter().map(|(carried, exchange)| (carried, said(&exchange))).collect()
    }

    pub async fn check(&self) -> Vec<Result<String, Reason>> {
        self.used.check().await.unwrap()
    }
}

/// Class and code, such as `transient deadlock-detected`.
pub fn short(outcome: &Outcome) -> String {
    format!("{} {}", outcome.class().as_str(), outcome.reason().code)
}

/// The same of many, equal ones together: `2 delivered inserted, 1 permanent …`, in the order of their first.
pub fn shorts(outcomes: &[Outcome]) -> String {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for outcome in outcomes.iter().map(short) {
        match counts.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, count)) => *count += 1,
            None => counts.push((outcome, 1)),
        }
    }
    counts.into_iter().map(|(outcome, count)| format!("{count} {outcome}")).collect::<Vec<_>>().join(", ")
}

/// What was shown of an exchange: request and answer.
pub fn said(exchange: &Exchange) -> (String, String) {
    let text = |parts: &[BodyPart]| -> String {
        let text = |part: &BodyPart| match part {
            BodyPart::Text(text) => text.clone(),
            other => format!("{other:?}"),
        };
        parts.iter().map(text).collect()
    };
    let answer = exchange.response.as_ref().map(|answer| text(&answer.body)).unwrap_or_default();
    (text(&exchange.request.body), answer)
}
