//! One hand-over: payloads, shape, a last look at the lease, the connector, outcomes.

use crate::connectors::{HandOver, Handed, Settle, Settled};
use crate::core::{AttemptId, AttemptItem, Input};
use crate::fleet::Loaded;
use crate::measures;
use crate::record::{PAYLOAD_GONE, Sealed};
use crate::running::Shared;
use crate::transcripts::{Transcripts, carries_others};
use bytes::Bytes;
use railhead_model::{
    Attempt, AttemptKey, DeliveryKey, DestinationNo, Event, EventUid, Fields, Outcome, Reason, Transcript,
};
use railhead_vault::TenantKeys;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

/// What the engine asks for.
#[derive(Debug)]
pub(crate) struct Call {
    pub id: AttemptId,
    pub destination: DestinationNo,
    pub items: Vec<AttemptItem>,
    pub batch: Option<u64>,
    /// Its destination is a suspect: see [`CAREFUL_MS`].
    pub careful: bool,
}

/// Milliseconds that a hand-over of a suspect has at most, whatever its destination is given else: other suspects wait for
/// it, of all tenants.
const CAREFUL_MS: u32 = 15_000;

/// The first so many attempts of a delivery keep their transcripts; later ones, that cost nothing included, are on
/// record without. A destination that throttles for days would else fill the database with its answers.
pub(crate) const TRANSCRIPTS: u32 = 20;

/// Pause before a hand-over is given back because its payloads cannot be read: the engine would ask again at once.
const STORE_AWAY: Duration = Duration::from_millis(500);

/// Says that a hand-over is over when it is dropped: at its end, at an abort, or should it panic.
pub(crate) struct Over {
    shared: Arc<Shared>,
    id: AttemptId,
    uids: Vec<EventUid>,
}

impl Over {
    pub fn new(shared: Arc<Shared>, call: &Call) -> Self {
        let uids = call.items.iter().map(|item| item.key.event).collect();
        Self { shared, id: call.id, uids }
    }
}

impl Drop for Over {
    fn drop(&mut self) {
        self.uids.iter().for_each(|uid| self.shared.payloads.release(*uid));
        self.shared.input(Input::AttemptOver(self.id));
    }
}

/// Runs one hand-over. What it does not settle, the engine takes as never started.
pub(crate) async fn run(call: Call, over: Over) {
    let shared = Arc::clone(&over.shared);
    let Some(loaded) = shared.fleet.get(call.destination) else { return };
    let keys = match shared.keyring.keys(&loaded.tenant) {
        Ok(keys) => keys,
        Err(error) => {
            tracing::error!(destination = %loaded.destination.id, %error, "a tenant's key cannot be opened; deliveries wait");
            return tokio::time::sleep(STORE_AWAY).await;
        }
    };
    let fetched = shared.payloads.fetch(shared.store.as_ref(), &shared.keyring, &loaded.tenant, &over.uids).await;
    let events = match fetched {
        Ok(events) => events,
        Err(error) => {
            tracing::warn!(%error, "payloads cannot be read now");
            return tokio::time::sleep(STORE_AWAY).await;
        }
    };
    let mut shaped = Vec::with_capacity(call.items.len());
    let mut refused = Vec::new();
    for (item, event) in call.items.iter().zip(events) {
        match shape(&loaded, event) {
            Ok((event, reshaped)) => shaped.push(Handed { delivery: item.key, attempt: item.n, event, reshaped }),
            Err(reason) => refused.push((*item, reason)),
        }
    }
    let batched = call.batch.is_some() || crate::fleet::takes_batches(&loaded.destination, &shared.catalog);
    let sink = Arc::new(Sink::new(&shared, call.id, loaded.clone(), keys, &shaped, batched));
    refused.into_iter().for_each(|(item, reason)| sink.refuse(item, reason));
    // A last look: much may have happened while payloads were read, or while the machine slept.
    if !shaped.is_empty() && shared.lease.lets_start(call.destination.shard(), shared.clock.monotonic_ms()) {
        let hand_over = hand_over(&shared, &call, &loaded, shaped, batched);
        let told: Arc<dyn Settle> = sink.clone();
        let call = shared.connectors.deliver(hand_over, told);
        ClosedFirst { _closes: Closes(sink), call }.await;
    }
}

fn hand_over(shared: &Shared, call: &Call, loaded: &Loaded, events: Vec<Handed>, batched: bool) -> HandOver {
    let batch_id = match call.batch {
        // Short, and in an alphabet that every header carries: a receiver knows the batch by it.
        Some(number) => format!("bat_{:x}_{number:016x}", call.destination.0),
        None => format!("{}-{}", shared.host.0.simple(), call.id.0),
    };
    let deadline_ms = loaded.destination.spec.timeout_ms.min(if call.careful { CAREFUL_MS } else { u32::MAX });
    HandOver {
        destination: Arc::clone(&loaded.destination),
        tenant: Arc::clone(&loaded.tenant),
        batch_id,
        batched,
        events,
        deadline_ms,
    }
}

/// The event as the connector sees it, and whether it differs from what is stored.
fn shape(loaded: &Loaded, event: Option<Arc<Event>>) -> Result<(Arc<Event>, bool), Reason> {
    let event = event.ok_or_else(|| Reason::new(PAYLOAD_GONE, "the event's payload is not kept any more"))?;
    let Some(fields) = selection(loaded) else { return Ok((event, false)) };
    let data = railhead_routing::select(fields, &event.data)
        .map_err(|error| Reason::new("fields-not-selectable", error.to_string()))?;
    Ok((Arc::new(Event { data, ..Event::clone(&event) }), true))
}

/// What the destination wants of each payload; `None` if all of it.
fn selection(loaded: &Loaded) -> Option<&Fields> {
    loaded.destination.spec.fields.as_ref().filter(|fields| !fields.include.is_empty() || !fields.exclude.is_empty())
}

/// A call whose sink is closed when it is over, and before it is cut: what it comes to while it ends was never told, and
/// costs no attempt.
struct ClosedFirst<F> {
    // Fields are dropped in this order.
    _closes: Closes,
    call: F,
}

impl<F: Future<Output = ()> + Unpin> Future for ClosedFirst<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.call).poll(context)
    }
}

struct Closes(Arc<Sink>);

impl Drop for Closes {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Takes outcomes while the call runs: each one is remembered with its transcript and told to the engine.
pub(crate) struct Sink {
    shared: Arc<Shared>,
    id: AttemptId,
    loaded: Loaded,
    keys: Arc<TenantKeys>,
    /// The events are one batch for the destination.
    batched: bool,
    transcripts: Mutex<Transcripts<Bytes>>,
    /// What was handed over and is not settled yet; `None` when the call is over.
    open: Mutex<Option<Vec<Option<AttemptItem>>>>,
}

impl Sink {
    fn new(
        shared: &Arc<Shared>,
        id: AttemptId,
        loaded: Loaded,
        keys: Arc<TenantKeys>,
        handed: &[Handed],
        batched: bool,
    ) -> Self {
        let open = handed.iter().map(|one| Some(AttemptItem { key: one.delivery, n: one.attempt })).collect();
        Self {
            shared: Arc::clone(shared),
            id,
            loaded,
            keys,
            batched: batched && handed.len() > 1,
            transcripts: Mutex::new(Transcripts::new(shared.host, id.0)),
            open: Mutex::new(Some(open)),
        }
    }

    fn close(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Settles what could not even be handed over.
    fn refuse(&self, item: AttemptItem, reason: Reason) {
        let started_at = self.shared.clock.now();
        let outcome = Outcome::Permanent(reason);
        let settled = Settled { index: 0, outcome, transcript: Transcript::default(), started_at, duration_ms: 0 };
        self.shared.input(Input::Settled { attempt: self.id, outcomes: vec![self.remember(item, settled)] });
    }

    /// Keeps the attempt until it is recorded.
    fn remember(&self, item: AttemptItem, mut settled: Settled) -> (DeliveryKey, Outcome) {
        // What was sent is never copied: it goes with the payload that it is a part of, and is as secret.
        settled.transcript.fields = selection(&self.loaded).cloned();
        let class = settled.outcome.class();
        metrics::counter!(measures::ATTEMPTS, "outcome" => class.as_str()).increment(1);
        let reason = settled.outcome.reason();
        tracing::debug!(delivery = %item.key, n = item.n, outcome = class.as_str(), code = reason.code, "attempt");
        let attempt = Attempt {
            n: item.n,
            started_at: settled.started_at,
            duration_ms: settled.duration_ms,
            outcome: class,
            reason: reason.clone(),
            connector_version: self.connector_version(),
            config_revision: self.loaded.destination.revision,
        };
        self.shared.remembered.put(item.key, attempt, self.seal(item, settled.transcript));
        (item.key, settled.outcome)
    }

    /// Of the connector that runs: an upgraded host runs another one than the destination was made with.
    fn connector_version(&self) -> String {
        let destination = &self.loaded.destination;
        let running = self.shared.catalog.get(&destination.spec.connector);
        running.map_or_else(|| destination.connector_version.clone(), |manifest| manifest.version.clone())
    }

    fn seal(&self, item: AttemptItem, transcript: Transcript) -> Option<Sealed> {
        if transcript.exchanges.is_empty() || item.n > TRANSCRIPTS {
            return None;
        }
        // A transcript is texts and numbers: it always serializes.
        let seal = |owner: AttemptKey, transcript: &Transcript| {
            let plain = serde_json::to_vec(transcript).unwrap_or_default();
            Bytes::from(self.keys.seal_transcript(owner.delivery, owner.n, &plain))
        };
        if !self.batched && !carries_others(&transcript) {
            let own = AttemptKey { delivery: item.key, n: item.n };
            return Some(Sealed { bytes: seal(own, &transcript), owner: None });
        }
        let mut transcripts = self.transcripts.lock().unwrap_or_else(PoisonError::into_inner);
        let (owner, bytes) = transcripts.share(item.key, transcript, seal);
        Some(Sealed { bytes, owner: Some(owner) })
    }
}

impl Settle for Sink {
    fn settle(&self, settled: Vec<Settled>) {
        // Held until the engine is told, so that nothing is told of after the call is over.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = open.as_mut() else { return };
        let first = settled.into_iter().filter_map(|one| Some((open.get_mut(one.index)?.take()?, one)));
        let outcomes: Vec<_> = first.map(|(item, one)| self.remember(item, one)).collect();
        if !outcomes.is_empty() {
            self.shared.input(Input::Settled { attempt: self.id, outcomes });
        }
    }
}
