//! Operational events: what the vendor's own tenant `_operator` is told of, as ordinary events.
//!
//! They are told, not guaranteed: a full queue drops them. Deliveries of that tenant itself raise none.

use crate::draft::Draft;
use crate::fleet::Loaded;
use crate::running::Shared;
use railhead_model::{DeliveryKey, DestinationNo, EnvironmentNo, Reason, TenantId, Timestamp};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Notices that wait at most: a fleet that breaks all at once is told of in part.
const WAITING: usize = 4_096;
/// How long an environment without `_operator` is not asked again, in milliseconds.
const ABSENT_MS: u64 = 5_000;
/// Events of one publish.
const AT_ONCE: usize = 64;

/// Something that an operator wants to know.
#[derive(Clone, Debug)]
pub(crate) enum Notice {
    /// A destination broke, or recovered.
    Failing { no: DestinationNo, failing: bool },
    /// A destination was disabled by itself.
    Disabled { no: DestinationNo, reason: Reason },
    /// A delivery gave up.
    Dead { key: DeliveryKey, code: String, message: String, attempts: u32, at: Timestamp },
}

/// The end that tells.
pub(crate) struct Notices(mpsc::Sender<Notice>);
/// The end that is told.
pub(crate) type Told = mpsc::Receiver<Notice>;

pub(crate) fn channel() -> (Notices, Told) {
    let (tell, told) = mpsc::channel(WAITING);
    (Notices(tell), told)
}

impl Notices {
    pub fn tell(&self, notice: Notice) {
        if self.0.try_send(notice).is_err() {
            metrics::counter!(crate::measures::OPERATOR_DROPPED).increment(1);
        }
    }
}

/// Publishes notices as events.
pub(crate) async fn run(shared: Arc<Shared>, mut told: Told) {
    let mut absent: HashMap<EnvironmentNo, u64> = HashMap::new();
    let mut came = Vec::new();
    while told.recv_many(&mut came, AT_ONCE).await > 0 {
        let mut drafts: HashMap<EnvironmentNo, Vec<Draft>> = HashMap::new();
        for notice in came.drain(..) {
            let Some((environment, draft)) = draft(&shared, notice) else { continue };
            drafts.entry(environment).or_default().push(draft);
        }
        for (environment, drafts) in drafts {
            let now = shared.clock.monotonic_ms();
            if absent.get(&environment).is_some_and(|until| now < *until) {
                continue;
            }
            match crate::ingest::publish(&shared, environment, drafts).await {
                Ok(published) if published.iter().all(|one| matches!(one, crate::Published::Refused(_))) => {
                    absent.insert(environment, now + ABSENT_MS);
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "operational events could not be published"),
            }
        }
    }
}

fn draft(shared: &Shared, notice: Notice) -> Option<(EnvironmentNo, Draft)> {
    let no = match &notice {
        Notice::Failing { no, .. } | Notice::Disabled { no, .. } => *no,
        Notice::Dead { key, .. } => key.destination,
    };
    let loaded = shared.fleet.get(no)?;
    if loaded.tenant.id.is_reserved() {
        return None;
    }
    let (event_type, extra) = describe(shared, notice);
    let mut data = about(&loaded);
    if let (Value::Object(data), Value::Object(extra)) = (&mut data, extra) {
        data.extend(extra);
    }
    let draft = Draft::new(TenantId::operator(), event_type, data.to_string().into());
    Some((loaded.tenant.environment, draft))
}

fn about(loaded: &Loaded) -> Value {
    let destination = &loaded.destination;
    json!({
        "tenant": loaded.tenant.id,
        "destination": destination.id,
        "connector": destination.spec.connector,
    })
}

fn describe(shared: &Shared, notice: Notice) -> (&'static str, Value) {
    match notice {
        Notice::Failing { no, failing: true } => {
            let health = shared.fleet.health(no).unwrap_or_default();
            let since = health.failing_since;
            ("destination.failing", json!({"reason": health.reason, "failing_since": since}))
        }
        Notice::Failing { failing: false, .. } => ("destination.recovered", json!({})),
        Notice::Disabled { reason, .. } => ("destination.disabled", json!({"reason": reason})),
        Notice::Dead { key, code, message, attempts, at } => (
            "delivery.dead",
            json!({
                "delivery": key, "event": key.event, "attempts": attempts, "ended_at": at,
                "reason": {"code": code, "message": message},
            }),
        ),
    }
}
