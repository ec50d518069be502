//! The events of one accept commit: stored as often as it takes, then answered one by one.

use super::{Group, One};
use crate::draft::Overloaded;
use crate::ingest::admission::{Load, Ticket};
use crate::measures;
use crate::running::Shared;
use railhead_model::Event;
use railhead_store::{Accepted, NewEvent, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Delays before a commit that could not be done is tried again; after the last one the callers are told.
const RETRY_MS: [u64; 4] = [10, 50, 150, 400];
/// How often a commit of unknown outcome is sent again, a quarter of a second apart. Its publishers do not wait as long.
const REPEATS: usize = 40;

/// Whether a write of a tenant's configuration is waited for: only where nobody else's events come along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Locks {
    Skip,
    Wait,
}

/// See the module.
pub(super) struct Batch {
    news: Vec<NewEvent>,
    opened: Vec<Arc<Event>>,
    /// How many events each caller has, and where its answers go.
    callers: Vec<(usize, Ticket, oneshot::Sender<Vec<One>>)>,
}

impl Batch {
    pub fn new(groups: Vec<Group>) -> Self {
        let (mut news, mut opened, mut callers) = (Vec::new(), Vec::new(), Vec::new());
        for group in groups {
            callers.push((group.events.len(), group.ticket, group.reply));
            for prepared in group.events {
                news.push(prepared.new);
                opened.push(prepared.event);
            }
        }
        Self { news, opened, callers }
    }

    /// One answer for each event.
    pub async fn store(&self, shared: &Shared, locks: Locks) -> Vec<One> {
        store(shared, &self.news, locks).await
    }

    /// Tells the engine what is durable, then the callers.
    pub fn answer(self, shared: &Shared, answers: Vec<One>) {
        let is_stored = |answer: &One| *answer == Ok(Accepted::Stored);
        let stored = self.news.iter().zip(&self.opened).zip(&answers).filter(|(_, answer)| is_stored(answer));
        shared.stored(stored.map(|(event, _)| event));
        let mut answers = answers.into_iter();
        for (events, ticket, reply) in self.callers {
            drop(ticket);
            let _ = reply.send(answers.by_ref().take(events).collect()); // a caller that left is no reason to stop
        }
        let Load { events, bytes } = shared.accept.admission.load();
        metrics::gauge!(measures::ACCEPT_QUEUE_EVENTS).set(events as f64);
        metrics::gauge!(measures::ACCEPT_QUEUE_BYTES).set(bytes as f64);
    }
}

/// Sends the same batch until its outcome is known, or the store has been away for too long. A batch that fails on its
/// data is halved until the culprit is alone: what came with it is stored.
async fn store(shared: &Shared, batch: &[NewEvent], locks: Locks) -> Vec<One> {
    match repeat(shared, batch, locks).await {
        Ok(answers) => answers.into_iter().map(Ok).collect(),
        Err(error) if !error.is_retryable() && batch.len() > 1 => {
            let (left, right) = batch.split_at(batch.len() / 2);
            let mut answers = Box::pin(store(shared, left, locks)).await;
            answers.extend(Box::pin(store(shared, right, locks)).await);
            answers
        }
        Err(error) => {
            tracing::error!(%error, events = batch.len(), "events could not be stored; their publishers are told");
            vec![Err(Overloaded::Unavailable(error.to_string())); batch.len()]
        }
    }
}

async fn repeat(shared: &Shared, batch: &[NewEvent], locks: Locks) -> Result<Vec<Accepted>, StoreError> {
    let mut delays = RETRY_MS.iter().copied();
    let mut repeats = std::iter::repeat_n(250, REPEATS);
    loop {
        let answered = match locks {
            Locks::Skip => shared.store.accept(batch).await,
            Locks::Wait => shared.store.accept_patiently(batch).await,
        };
        let error = match answered {
            Ok(answers) if answers.len() == batch.len() => return Ok(answers),
            Ok(_) => return Err(StoreError::Damaged("an accept was answered for other events".into())),
            Err(error) => error,
        };
        let delay = match &error {
            StoreError::Unavailable(_) => delays.next(),
            StoreError::Unknown(_) => repeats.next(),
            _ => None,
        };
        let Some(ms) = delay else { return Err(error) };
        tracing::warn!(%error, events = batch.len(), "an accept commit is sent again");
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}
