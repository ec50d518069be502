//! What token endpoints gave to one edition of a destination: kept in memory until shortly before it expires, shared by
//! its sessions, made by one exchange at a time.

mod answer;
mod xml;

pub(crate) use answer::{Kind, Take, Taken, no_token, taken};

use crate::egress::{Failure, FailureKind};
use crate::secret::Secret;
use railhead_model::Clock;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Of a token whose endpoint tells no life.
const USUAL_LIFE_MS: u64 = 600_000;
/// No token is kept for longer: a connector that never asks again still gets a new one each day.
const LONGEST_LIFE_MS: u64 = 86_400_000;
/// A token is given up so long before it expires, or a tenth of its life before where that is shorter: a request that
/// leaves with it must still arrive in time.
const BEFORE_EXPIRY_MS: u64 = 60_000;
/// However short its life is said to be: else each event would bring an exchange.
const SHORTEST_KEPT_MS: u64 = 5_000;
/// An explicit exchange gives back a token that is younger than this: a hundred requests that fail at once with 401 bring
/// one exchange.
const AGAIN_MS: u64 = 10_000;
/// A refusal stands for so long, for all who ask.
const REFUSED_MS: u64 = 5_000;
/// Any other failure of an endpoint stands for so long.
const FAILED_MS: u64 = 2_000;
/// Names of one destination.
const MAX_NAMES: usize = 16;

/// See the module. Tokens are zeroed when nobody uses them any more.
#[derive(Default)]
pub(crate) struct Tokens {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    names: HashMap<String, Name>,
    flights: u64,
}

#[derive(Default)]
struct Name {
    kept: Option<Kept>,
    failed: Option<(Failure, u64)>,
    flight: Option<Flight>,
}

struct Kept {
    token: Arc<Secret>,
    made_ms: u64,
    /// Not given out any more from then on.
    until_ms: u64,
    expires_ms: u64,
}

struct Flight {
    number: u64,
    done: watch::Receiver<Option<Made>>,
    task: AbortHandle,
}

type Made = Result<Arc<Secret>, Failure>;

/// What one exchange brought.
pub(crate) struct Fresh {
    pub(crate) token: Arc<Secret>,
    /// As the endpoint told.
    pub(crate) life_ms: Option<u64>,
}

impl Tokens {
    /// What is kept under a name, unless it is about to expire.
    pub(crate) fn kept(&self, name: &str, now_ms: u64) -> Option<Arc<Secret>> {
        let state = self.lock();
        let kept = state.names.get(name)?.kept.as_ref().filter(|kept| now_ms < kept.until_ms)?;
        Some(kept.token.clone())
    }

    /// A new token under a name: of the exchange that is under way, else of `exchange`. It replaces the one before, unless
    /// that is younger than [`AGAIN_MS`]. The exchange goes on where the caller stops waiting: others may wait for it.
    ///
    /// # Errors
    /// Why there is none; for a moment after a failure, that failure.
    pub(crate) async fn exchanged(
        self: &Arc<Self>,
        name: &str,
        clock: &Arc<dyn Clock>,
        exchange: impl Future<Output = Result<Fresh, Failure>> + Send + 'static,
    ) -> Made {
        let mut done = match self.join(name, clock, exchange)? {
            Joined::Kept(token) => return Ok(token),
            Joined::Flight(done) => done,
        };
        let made = done.wait_for(Option::is_some).await.ok().and_then(|made| made.clone());
        made.unwrap_or_else(|| Err(ended()))
    }

    /// Drops what is kept and ends what is under way. What was given out is still masked: see [`crate::secret::Told`].
    pub(crate) fn clear(&self) {
        for (_, name) in self.lock().names.drain() {
            if let Some(flight) = name.flight {
                flight.task.abort();
            }
        }
    }

    /// True if something is kept or under way.
    pub(crate) fn are_live(&self, now_ms: u64) -> bool {
        let live = |name: &Name| name.flight.is_some() || name.kept.as_ref().is_some_and(|kept| now_ms < kept.until_ms);
        self.lock().names.values().any(live)
    }

    fn join(
        self: &Arc<Self>,
        name: &str,
        clock: &Arc<dyn Clock>,
        exchange: impl Future<Output = Result<Fresh, Failure>> + Send + 'static,
    ) -> Result<Joined, Failure> {
        let now_ms = clock.monotonic_ms();
        let mut state = self.lock();
        if state.names.len() >= MAX_NAMES && !state.names.contains_key(name) {
            let message = format!("A destination keeps tokens under at most {MAX_NAMES} names.");
            return Err(Failure::invalid("exchange-too-many", message));
        }
        state.flights += 1;
        let number = state.flights;
        let entry = state.names.entry(name.to_owned()).or_default();
        // One that is finished and still here was aborted.
        if let Some(flight) = entry.flight.as_ref().filter(|flight| !flight.task.is_finished()) {
            return Ok(Joined::Flight(flight.done.clone()));
        }
        if let Some((failure, _)) = entry.failed.as_ref().filter(|(_, until_ms)| now_ms < *until_ms) {
            return Err(failure.clone());
        }
        let young = |kept: &&Kept| now_ms < kept.until_ms && now_ms.saturating_sub(kept.made_ms) < AGAIN_MS;
        if let Some(kept) = entry.kept.as_ref().filter(young) {
            return Ok(Joined::Kept(kept.token.clone()));
        }
        let (sender, done) = watch::channel(None);
        // It does not keep them alive: when all sessions are gone, it goes too.
        let (tokens, name, clock) = (Arc::downgrade(self), name.to_owned(), clock.clone());
        let task = tokio::spawn(async move {
            let result = exchange.await;
            let Some(tokens) = tokens.upgrade() else { return };
            let made = tokens.land(&name, number, result, clock.monotonic_ms());
            sender.send_replace(Some(made));
        });
        entry.flight = Some(Flight { number, done: done.clone(), task: task.abort_handle() });
        Ok(Joined::Flight(done))
    }

    /// Keeps what an exchange brought.
    fn land(&self, name: &str, number: u64, result: Result<Fresh, Failure>, now_ms: u64) -> Made {
        let mut state = self.lock();
        let Some(entry) = state.names.get_mut(name) else { return Err(ended()) };
        if entry.flight.take_if(|flight| flight.number == number).is_none() {
            return Err(ended());
        }
        match result {
            Ok(fresh) => {
                let token = fresh.token.clone();
                entry.kept = Some(Kept::new(fresh, now_ms));
                entry.failed = None;
                Ok(token)
            }
            Err(failure) => entry.fail(failure, now_ms),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Tokens {
    fn drop(&mut self) {
        self.clear();
    }
}

enum Joined {
    Kept(Arc<Secret>),
    Flight(watch::Receiver<Option<Made>>),
}

impl Kept {
    fn new(fresh: Fresh, now_ms: u64) -> Self {
        let life_ms = fresh.life_ms.unwrap_or(USUAL_LIFE_MS).min(LONGEST_LIFE_MS);
        let kept_ms = life_ms.saturating_sub(BEFORE_EXPIRY_MS.min(life_ms / 10)).max(SHORTEST_KEPT_MS);
        Self {
            token: fresh.token,
            made_ms: now_ms,
            until_ms: now_ms.saturating_add(kept_ms),
            expires_ms: now_ms.saturating_add(life_ms.max(kept_ms)),
        }
    }
}

impl Name {
    /// A failure stands for a moment. Where an endpoint only fails just now, a token that was to be renewed serves until
    /// it expires.
    fn fail(&mut self, failure: Failure, now_ms: u64) -> Made {
        let stands_ms = match failure.kind {
            // Of the request, not of the endpoint: the next one may be another.
            FailureKind::Denied | FailureKind::Invalid => return Err(failure),
            FailureKind::Credential => REFUSED_MS,
            _ => FAILED_MS,
        };
        let refused = failure.kind == FailureKind::Credential;
        let serves = |kept: &&Kept| !refused && kept.until_ms <= now_ms && now_ms < kept.expires_ms;
        if let Some(kept) = self.kept.as_mut().filter(|kept| serves(&&**kept)) {
            kept.until_ms = now_ms.saturating_add(stands_ms).min(kept.expires_ms);
            kept.made_ms = now_ms;
            return Ok(kept.token.clone());
        }
        self.failed = Some((failure.clone(), now_ms.saturating_add(stands_ms)));
        Err(failure)
    }
}

/// The exchange was given up: its destination changed.
fn ended() -> Failure {
    Failure::new(FailureKind::Other, "exchange-ended", "The destination changed while a token was fetched for it.")
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("names", &self.lock().names.keys().collect::<Vec<_>>()).finish()
    }
}

#[cfg(test)]
mod tests;
