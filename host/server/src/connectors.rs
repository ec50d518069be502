//! The sandbox as the delivery engine's connectors: opens credentials for a call, and translates both ways.

use crate::operators::OperatorCredentials;
use async_trait::async_trait;
use railhead_delivery::connectors::{CheckStep, Connectors, HandOver, Settle, Settled};
use railhead_model::{DestinationNo, Outcome, Reason, Timestamp, Transcript};
use railhead_sandbox::{Call, CallEvent, Connector, CredentialValue, Sandbox, SettledEvent, Target};
use railhead_store::directory::{Destination, Tenant};
use railhead_vault::{TenantKeys, Vault};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Connectors that run in the sandbox.
pub struct SandboxedConnectors {
    sandbox: Arc<Sandbox>,
    loaded: BTreeMap<String, Arc<Connector>>,
    vault: Arc<Vault>,
    clock: Arc<dyn railhead_model::Clock>,
    operators: OperatorCredentials,
    targets: Mutex<BTreeMap<DestinationNo, Opened>>,
}

/// A destination with its credentials opened.
struct Opened {
    revision: i64,
    /// When the first of its credential versions ends.
    until: Option<Timestamp>,
    target: Arc<Target>,
}

/// Destinations whose opened credentials are kept ready. Beyond it they are opened anew at each call.
const TARGETS_KEPT: usize = 10_000;

impl SandboxedConnectors {
    /// Over connectors that were loaded, by name.
    #[must_use]
    pub fn new(
        sandbox: Arc<Sandbox>,
        loaded: BTreeMap<String, Arc<Connector>>,
        vault: Arc<Vault>,
        clock: Arc<dyn railhead_model::Clock>,
    ) -> Self {
        Self { sandbox, loaded, vault, clock, operators: OperatorCredentials::default(), targets: Mutex::default() }
    }

    /// With the operator's own credentials; they were checked against the manifests.
    #[must_use]
    pub fn with_operators(self, operators: OperatorCredentials) -> Self {
        Self { operators, ..self }
    }

    /// The destination with its credentials opened; kept until its revision changes, it is retired, or the first of its
    /// credential versions ends.
    fn target(&self, tenant: &Tenant, destination: &Destination) -> Result<Arc<Target>, Reason> {
        let now = self.clock.now();
        let revision = destination.revision;
        let holds = |opened: &&Opened| opened.revision == revision && opened.until.is_none_or(|until| now < until);
        if let Some(opened) = self.lock().get(&destination.no).filter(holds) {
            return Ok(Arc::clone(&opened.target));
        }
        let target = Arc::new(self.open(tenant, destination, now)?);
        let until = destination.credentials.iter().filter_map(|one| one.expires_at).filter(|at| *at > now).min();
        let mut targets = self.lock();
        // Number 0 and below are previews of what is not stored: never kept.
        let keep = destination.no.0 > 0 && revision > 0;
        if keep && (targets.len() < TARGETS_KEPT || targets.contains_key(&destination.no)) {
            targets.insert(destination.no, Opened { revision, until, target: Arc::clone(&target) });
        }
        Ok(target)
    }

    fn open(&self, tenant: &Tenant, destination: &Destination, now: Timestamp) -> Result<Target, Reason> {
        let name = &destination.spec.connector;
        let connector = self.loaded.get(name).ok_or_else(|| {
            Reason::new("connector-not-available", format!("The connector `{name}` is not available on this host."))
        })?;
        let binding = railhead_delivery::keyring::binding(tenant.environment, &tenant.id);
        let keys = self.vault.open_tenant(&binding, &tenant.wrapped_key).map_err(|error| sealed(&error))?;
        let mut credentials = Vec::new();
        for field in &connector.manifest.credentials {
            if field.operator {
                // A stored value of that name, from before it was the operator's, does not count.
                credentials.extend(self.operators.opened(name, field, || keys.external_id()));
                continue;
            }
            let mut versions: Vec<_> = destination
                .credentials
                .iter()
                .filter(|credential| credential.field == field.name)
                .filter(|credential| credential.expires_at.is_none_or(|at| at > now))
                .collect();
            versions.sort_by_key(|credential| std::cmp::Reverse(credential.version));
            for credential in versions {
                credentials.push(CredentialValue {
                    field: field.name.clone(),
                    version: i64::from(credential.version),
                    kind: field.kind,
                    usage: field.usage,
                    value: open_value(&keys, destination.no, credential)?,
                });
            }
        }
        Ok(Target {
            connector: Arc::clone(connector),
            tenant: destination.tenant.0,
            tenant_id: tenant.id.to_string(),
            destination: destination.no.0,
            revision: destination.revision,
            config: serde_json::Value::Object(destination.spec.config.clone()),
            credentials,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<DestinationNo, Opened>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open_value(
    keys: &TenantKeys,
    destination: DestinationNo,
    credential: &railhead_store::directory::Credential,
) -> Result<zeroize::Zeroizing<Vec<u8>>, Reason> {
    keys.open_credential(destination, &credential.field, credential.version, &credential.sealed)
        .map_err(|error| sealed(&error))
}

fn sealed(error: &railhead_vault::VaultError) -> Reason {
    Reason::new("credential-not-opened", format!("A credential of this destination cannot be opened: {error}."))
}

fn call(hand_over: &HandOver) -> Call {
    let events = hand_over.events.iter().map(|handed| CallEvent {
        event: Arc::clone(&handed.event),
        attempt: handed.attempt,
        traceparent: handed.event.head.traceparent.clone(),
    });
    Call {
        batch_id: hand_over.batch_id.clone(),
        batched: hand_over.batched,
        deadline_ms: hand_over.deadline_ms,
        events: events.collect(),
    }
}

#[async_trait]
impl Connectors for SandboxedConnectors {
    async fn deliver(&self, hand_over: HandOver, settle: Arc<dyn Settle>) {
        match self.target(&hand_over.tenant, &hand_over.destination) {
            Ok(target) => {
                let sink =
                    move |settled: Vec<SettledEvent>| settle.settle(settled.into_iter().map(translate).collect());
                let call = call(&hand_over);
                self.sandbox.deliver(target, call, Arc::new(sink)).await;
            }
            Err(reason) => {
                let all = (0..hand_over.events.len()).map(|index| refused(index, &reason, self.clock.now()));
                settle.settle(all.collect());
            }
        }
    }

    async fn check(&self, hand_over: HandOver) -> Result<Vec<CheckStep>, Reason> {
        let target = self.target(&hand_over.tenant, &hand_over.destination)?;
        let call = call(&hand_over);
        let steps = self.sandbox.check(target, call).await?;
        Ok(steps.into_iter().map(|result| CheckStep { result }).collect())
    }

    async fn preview(&self, hand_over: HandOver) -> Result<Vec<Transcript>, Reason> {
        let target = self.target(&hand_over.tenant, &hand_over.destination)?;
        let call = call(&hand_over);
        let exchanges = self.sandbox.preview(target, call).await?;
        Ok(exchanges
            .into_iter()
            .map(|(_, exchange)| Transcript { exchanges: vec![exchange.into()], ..Transcript::default() })
            .collect())
    }

    fn retire(&self, destination: DestinationNo) {
        self.lock().remove(&destination);
        self.sandbox.retire(destination.0);
    }

    fn revoke(&self, destination: DestinationNo, revision: i64) {
        self.lock().remove(&destination);
        self.sandbox.revoke(destination.0, revision);
    }
}

fn translate(event: SettledEvent) -> Settled {
    Settled {
        index: event.index,
        outcome: event.outcome,
        transcript: event.transcript,
        started_at: event.started_at,
        duration_ms: event.duration_ms,
    }
}

fn refused(index: usize, reason: &Reason, now: Timestamp) -> Settled {
    let outcome = Outcome::Misconfigured(reason.clone());
    Settled { index, outcome, transcript: Transcript::default(), started_at: now, duration_ms: 0 }
}

#[cfg(test)]
mod tests;
