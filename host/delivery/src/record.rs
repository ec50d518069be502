//! The result lane: attempts and new states become durable.

use crate::core::{Input, RecordId, RecordItem};
use crate::measures;
use crate::operator::Notice;
use crate::running::Shared;
use railhead_model::{Attempt, AttemptKey, DeliveryKey, End};
use railhead_store::{Change, RecordAnswer, Recording, StoreError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Code of deliveries whose payload is gone: they end as expired, not as dead letters.
pub(crate) const PAYLOAD_GONE: &str = "payload-gone";

/// Pause before a result of unknown fate is sent again.
const AGAIN: Duration = Duration::from_millis(250);

/// A sealed transcript.
#[derive(Clone, Debug)]
pub(crate) struct Sealed {
    pub bytes: bytes::Bytes,
    /// What it is sealed for, where several attempts share it.
    pub owner: Option<AttemptKey>,
}

type Made = (Attempt, Option<Sealed>);

/// Attempts that were made and are not recorded yet. A delivery has at most one.
#[derive(Debug, Default)]
pub(crate) struct Remembered(Mutex<HashMap<DeliveryKey, Made>>);

impl Remembered {
    pub fn put(&self, key: DeliveryKey, attempt: Attempt, transcript: Option<Sealed>) {
        self.lock().insert(key, (attempt, transcript));
    }

    fn get(&self, key: DeliveryKey, n: u32) -> Option<Made> {
        self.lock().get(&key).filter(|(attempt, _)| attempt.n == n).cloned()
    }

    fn forget(&self, items: &[Recording]) {
        let mut held = self.lock();
        for item in items {
            let n = item.attempt.as_ref().map(|attempt| attempt.n);
            if held.get(&item.key).is_some_and(|(attempt, _)| Some(attempt.n) == n) {
                held.remove(&item.key);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DeliveryKey, Made>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those who wait for a delivery's next recorded attempt.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Mutex<HashMap<DeliveryKey, oneshot::Sender<Attempt>>>);

/// One who waits; leaves the list when dropped.
pub(crate) struct Waiter<'a> {
    waiters: &'a Waiters,
    key: DeliveryKey,
    attempt: oneshot::Receiver<Attempt>,
}

impl Waiters {
    pub fn wait_for(&self, key: DeliveryKey) -> Waiter<'_> {
        let (tell, attempt) = oneshot::channel();
        self.lock().insert(key, tell);
        Waiter { waiters: self, key, attempt }
    }

    fn tell(&self, recorded: &[Recording]) {
        let mut waiters = self.lock();
        if waiters.is_empty() {
            return;
        }
        for item in recorded {
            if let Some(attempt) = &item.attempt
                && let Some(tell) = waiters.remove(&item.key)
            {
                let _ = tell.send(attempt.clone()); // whoever waited may have left
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DeliveryKey, oneshot::Sender<Attempt>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter<'_> {
    /// The attempt, once it is on record. Never comes back if it was told before.
    pub async fn attempt(&mut self) -> Attempt {
        match (&mut self.attempt).await {
            Ok(attempt) => attempt,
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.waiters.lock().remove(&self.key);
    }
}

/// Makes one batch of the engine durable and answers the engine.
pub(crate) async fn record(shared: Arc<Shared>, id: RecordId, items: Vec<RecordItem>) {
    let batch: Vec<_> = items.into_iter().map(|item| recording(&shared, item)).collect();
    let began = shared.clock.monotonic_ms();
    match store(&shared, &batch).await {
        Ok(answers) => {
            let took = shared.clock.monotonic_ms().saturating_sub(began);
            metrics::histogram!(measures::COMMIT_SECONDS, "lane" => "record").record(took as f64 / 1_000.0);
            shared.remembered.forget(&batch);
            shared.waiters.tell(&batch);
            tell_of_ends(&shared, &batch, &answers);
            shared.input(Input::Recorded { record: id, answers });
        }
        Err(StoreError::Fenced) => shared.fenced(),
        Err(error) => {
            tracing::warn!(%error, results = batch.len(), "results could not be recorded yet; they are sent again");
            tokio::time::sleep(AGAIN).await;
            shared.input(Input::RecordUnknown(id));
        }
    }
}

fn recording(shared: &Shared, item: RecordItem) -> Recording {
    let remembered = item.n.and_then(|n| shared.remembered.get(item.key, n));
    let (mut attempt, transcript) = remembered.map_or((None, None), |(attempt, sealed)| (Some(attempt), sealed));
    let mut change = item.change;
    if let Change::End { end, code, .. } = &mut change
        && *end == End::Dead
        && code == PAYLOAD_GONE
    {
        *end = End::Expired;
        attempt = None; // nothing was tried
    }
    let owner = transcript.as_ref().and_then(|sealed| sealed.owner);
    let transcript = transcript.map(|sealed| sealed.bytes);
    Recording { key: item.key, tenant: item.tenant, rev: item.rev, change, attempt, transcript, owner }
}

/// A batch that fails on its data is halved until the culprit is alone. It is told of as refused: the engine reads its
/// row again, and what came with it is on record.
async fn store(shared: &Shared, batch: &[Recording]) -> Result<Vec<RecordAnswer>, StoreError> {
    match shared.store.record(shared.host, batch).await {
        Ok(answers) if answers.len() == batch.len() => Ok(answers),
        Ok(_) => Err(StoreError::Unknown("a record was answered for other deliveries".into())),
        Err(StoreError::Fenced) => Err(StoreError::Fenced),
        Err(error) if error.is_retryable() => Err(error),
        Err(_) if batch.len() > 1 => {
            let (left, right) = batch.split_at(batch.len() / 2);
            let mut answers = Box::pin(store(shared, left)).await?;
            answers.extend(Box::pin(store(shared, right)).await?);
            Ok(answers)
        }
        Err(error) => {
            let delivery = batch.first().map(|item| item.key.to_string()).unwrap_or_default();
            tracing::error!(%error, delivery, "a result cannot be recorded; the delivery is read again");
            Ok(vec![RecordAnswer::Refused; batch.len()])
        }
    }
}

fn tell_of_ends(shared: &Shared, batch: &[Recording], answers: &[RecordAnswer]) {
    for (item, answer) in batch.iter().zip(answers) {
        let (RecordAnswer::Applied(_), Change::End { end, code, at, attempts }) = (answer, &item.change) else {
            continue;
        };
        metrics::counter!(measures::ENDED, "end" => end_label(*end)).increment(1);
        if *end == End::Delivered {
            metrics::counter!(measures::DELIVERED).increment(1);
            if *attempts <= 1 && item.key.run == 0 {
                let seconds = at.since(item.key.event.at()) as f64 / 1_000.0;
                metrics::histogram!(measures::DELIVERY_SECONDS).record(seconds);
            }
        } else {
            tracing::info!(delivery = %item.key, event = %item.key.event, end = end_label(*end), code, "a delivery ended");
        }
        if *end == End::Dead {
            let message = item.attempt.as_ref().map(|attempt| attempt.reason.message.clone()).unwrap_or_default();
            let notice = Notice::Dead { key: item.key, code: code.clone(), message, attempts: *attempts, at: *at };
            shared.notices.tell(notice);
        }
    }
}

const fn end_label(end: End) -> &'static str {
    match end {
        End::Delivered => "delivered",
        End::Dead => "dead",
        End::Expired => "expired",
        End::Cancelled => "cancelled",
    }
}
