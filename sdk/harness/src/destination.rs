//! A destination, and the calls that the host makes for it.

use crate::harness::Harness;
use railhead_model::{Event, Exchange, Reason};
use railhead_sandbox::{Call, CallEvent, Connector, CredentialValue, Settle, SettledEvent, Target};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};

/// Long enough on a busy machine; nothing waits for it unless a test says so.
const DEADLINE_MS: u32 = 60_000;
/// What every event is handed over with.
const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A destination with its configuration and credentials. Calls of one destination share its sessions.
#[derive(Clone, Debug)]
pub struct Destination {
    harness: Harness,
    target: Target,
    unknown: Vec<String>,
    deadline_ms: u32,
    batched: bool,
    batch_id: String,
    attempt: u32,
}

impl Destination {
    pub(crate) fn new(harness: Harness, connector: &Arc<Connector>, number: i64, config: Value) -> Self {
        let target = Target {
            connector: connector.clone(),
            tenant: number,
            tenant_id: "acme".to_owned(),
            destination: number,
            revision: 1,
            config,
            credentials: Vec::new(),
        };
        let batch_id = "batch-1".to_owned();
        Self { harness, target, unknown: Vec::new(), deadline_ms: DEADLINE_MS, batched: false, batch_id, attempt: 1 }
    }

    /// A value of a credential field. Given twice, the field is in the middle of a rotation: the first one is the value in
    /// force, the next one the older.
    ///
    /// Kind and use are the manifest's. A field that the manifest does not have is a mistake of the test: every call
    /// answers with the code `harness-credential`.
    #[must_use]
    pub fn credential(mut self, field: &str, value: &str) -> Self {
        let known = self.target.connector.manifest.credentials.iter().find(|known| known.name == field);
        let Some(known) = known else {
            self.unknown.push(field.to_owned());
            return self;
        };
        let (kind, usage) = (known.kind, known.usage);
        let version = i64::try_from(self.target.credentials.len()).unwrap_or(i64::MAX).saturating_add(1);
        let (field, value) = (field.to_owned(), value.as_bytes().to_vec().into());
        self.target.credentials.push(CredentialValue { field, version, kind, usage, value });
        self
    }

    /// These values, in the order of field and value, newest first.
    #[must_use]
    pub fn credentials(self, given: &[(&str, &str)]) -> Self {
        given.iter().fold(self, |destination, (field, value)| destination.credential(field, value))
    }

    /// All other values go, and these come, as after a rotation: sessions of the old ones end.
    #[must_use]
    pub fn rotated(mut self, given: &[(&str, &str)]) -> Self {
        let newest = self.target.credentials.iter().map(|value| value.version).max().unwrap_or(0);
        self.target.credentials.clear();
        self.target.revision = self.target.revision.saturating_add(1);
        let mut rotated = self.credentials(given);
        for value in &mut rotated.target.credentials {
            value.version = value.version.saturating_add(newest);
        }
        rotated
    }

    /// With another configuration, as after its owner changed it.
    #[must_use]
    pub fn configured(mut self, config: Value) -> Self {
        self.target.config = config;
        self.target.revision = self.target.revision.saturating_add(1);
        self
    }

    /// Bounds calls, in milliseconds.
    #[must_use]
    pub fn deadline_ms(self, deadline_ms: u32) -> Self {
        Self { deadline_ms, ..self }
    }

    /// What is handed over is one batch.
    #[must_use]
    pub fn batched(self) -> Self {
        Self { batched: true, ..self }
    }

    /// The number of the batch; `batch-1` else.
    #[must_use]
    pub fn batch_id(self, batch_id: &str) -> Self {
        Self { batch_id: batch_id.to_owned(), ..self }
    }

    /// Which attempt at all events this is; 1 else.
    #[must_use]
    pub fn attempt(self, attempt: u32) -> Self {
        Self { attempt, ..self }
    }

    /// The vendor's id of the tenant; `acme` else.
    #[must_use]
    pub fn tenant_id(mut self, tenant_id: &str) -> Self {
        self.target.tenant_id = tenant_id.to_owned();
        self
    }

    /// What goes to the sandbox, to change it.
    pub fn target_mut(&mut self) -> &mut Target {
        &mut self.target
    }

    /// Hands events over: what each came to, in their order; records as their own attempts show them.
    pub async fn deliver(&self, events: Vec<Event>) -> Vec<SettledEvent> {
        let uids: Vec<_> = events.iter().map(|event| event.uid).collect();
        let settled: Arc<Mutex<Vec<SettledEvent>>> = Arc::default();
        let keep = settled.clone();
        let settle: Settle = Arc::new(move |new| keep.lock().unwrap_or_else(PoisonError::into_inner).extend(new));
        self.deliver_into(events, settle).await;
        let mut settled = std::mem::take(&mut *settled.lock().unwrap_or_else(PoisonError::into_inner));
        settled.sort_by_key(|event| event.index);
        for event in &mut settled {
            if let Some(uid) = uids.get(event.index) {
                event.transcript = std::mem::take(&mut event.transcript).seen_by(*uid);
            }
        }
        settled
    }

    /// Hands events over; outcomes are told as they come.
    pub async fn deliver_into(&self, events: Vec<Event>, settle: Settle) {
        if let Err(reason) = self.usable() {
            let call = self.call(events);
            let outcome = railhead_model::Outcome::Misconfigured(reason);
            let now = railhead_model::Timestamp(0);
            let settled = (0..call.events.len()).map(|index| SettledEvent {
                index,
                outcome: outcome.clone(),
                transcript: railhead_model::Transcript::default(),
                started_at: now,
                duration_ms: 0,
            });
            return settle(settled.collect());
        }
        self.harness.sandbox().deliver(self.target.clone(), self.call(events), settle).await;
    }

    /// Hands one event over.
    ///
    /// # Panics
    /// If the sandbox does not settle it exactly once, which it promises.
    pub async fn deliver_one(&self, event: Event) -> SettledEvent {
        let mut settled = self.deliver(vec![event]).await;
        assert_eq!(settled.len(), 1, "one event is settled once");
        settled.remove(0)
    }

    /// What would be sent for these events: the events that each request carries, and the request.
    ///
    /// # Errors
    /// Why the plugin could not run.
    pub async fn preview(&self, events: Vec<Event>) -> Result<Vec<(Vec<u32>, Exchange)>, Reason> {
        self.usable()?;
        self.harness.sandbox().preview(self.target.clone(), self.call(events)).await
    }

    /// Asks whether it works, step by step.
    ///
    /// # Errors
    /// Why the plugin could not run.
    pub async fn check(&self) -> Result<Vec<Result<String, Reason>>, Reason> {
        self.usable()?;
        self.harness.sandbox().check(self.target.clone(), self.call(Vec::new())).await
    }

    /// Ends its sessions, in an orderly way where they can: the plugin's `close` is called.
    pub fn retire(&self) {
        self.harness.sandbox().retire(self.target.destination);
    }

    /// Withdraws its credentials: sessions end in the middle of their calls.
    pub fn revoke(&self) {
        self.harness.sandbox().revoke(self.target.destination, self.target.revision.saturating_add(1));
    }

    fn usable(&self) -> Result<(), Reason> {
        let Some(field) = self.unknown.first() else { return Ok(()) };
        Err(Reason::new("harness-credential", format!("The manifest has no credential field {field}.")))
    }

    fn call(&self, events: Vec<Event>) -> Call {
        let with = |event| CallEvent {
            event: Arc::new(event),
            attempt: self.attempt,
            traceparent: Some(TRACEPARENT.to_owned()),
        };
        Call {
            batch_id: self.batch_id.clone(),
            batched: self.batched,
            deadline_ms: self.deadline_ms,
            events: events.into_iter().map(with).collect(),
        }
    }
}
