//! The sessions of all destinations: who has one, who waits, who goes.

use crate::call::{Ended, Running};
use crate::session::{Session, Surroundings};
use crate::target::{Edition, Scope, Target};
use crate::tokens::Tokens;
pub(crate) use places::Place;
use places::{Places, Room};
use railhead_model::{Outcome, Reason};
use slot::Slot;
use standing::Standings;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// A revocation is remembered for so long: no call that was on its way takes longer to begin.
const FLOOR_MS: u64 = 3_600_000;

/// All sessions of the host.
pub(crate) struct Sessions {
    around: Surroundings,
    slots: Mutex<HashMap<i64, Arc<Slot>>>,
    floors: Mutex<HashMap<i64, Floor>>,
    /// Kept for longer than slots: a token outlives the sessions that use it.
    tokens: Mutex<HashMap<i64, (Edition, Arc<Tokens>)>>,
    standings: Standings,
    places: Places,
    opened: AtomicU64,
}

/// Which revisions of a destination still have their credentials.
struct Floor {
    /// Sessions of revisions below it end at once.
    lowest: watch::Sender<i64>,
    until_ms: u64,
}

/// A session in use, and the right to use it.
pub(crate) struct Held {
    pub(crate) session: Session,
    slot: Arc<Slot>,
    _turn: OwnedSemaphorePermit,
}

impl Sessions {
    pub(crate) fn new(around: Surroundings, places: u32) -> Self {
        Self {
            around,
            slots: Mutex::default(),
            floors: Mutex::default(),
            tokens: Mutex::default(),
            standings: Standings::default(),
            places: Places::new(places),
            opened: AtomicU64::new(0),
        }
    }

    /// A session for a call: an idle one of this edition, or a new one once there is room.
    ///
    /// # Errors
    /// How the call ended without one.
    pub(crate) async fn hold(&self, target: &Target, running: &Arc<Running>) -> Result<Held, Ended> {
        let slot = self.slot(target)?;
        let turns = if slot.suspect.load(Ordering::Relaxed) { slot.max } else { 1 };
        // Half of the time at most: a call that begins with no time left is worse than none.
        let wait = Duration::from_millis(u64::from(running.left_ms()) / 2);
        let turn = tokio::time::timeout(wait, slot.turns.clone().acquire_many_owned(turns));
        let Ok(Ok(turn)) = turn.await else { return Err(busy()) };
        // Not before: one slow call must not make all slow that waited for it.
        self.choose_lane(target.destination, running).await;
        slot.used_ms.store(self.now(), Ordering::Relaxed);
        let idle = slot.idle().sessions.pop();
        let session = match idle {
            Some(session) => session,
            None => {
                let place = self.place(&slot.room, slot.scope.tenant, running).await?;
                let session = Session::open(&self.around, &slot.scope, &slot.cache, place, running).await;
                let session = session.inspect_err(|_| self.standings.note(target.destination, false, self.now()))?;
                self.opened.fetch_add(1, Ordering::Relaxed);
                session
            }
        };
        Ok(Held { session, slot, _turn: turn })
    }

    /// A session of its own for one preview: it never sends, so it must not become anybody's real one.
    ///
    /// # Errors
    /// How the call ended without one.
    pub(crate) async fn apart(&self, target: &Target, running: &Arc<Running>) -> Result<Session, Ended> {
        let scope = Arc::new(Scope::of(target).map_err(misconfigured)?);
        self.choose_lane(target.destination, running).await;
        let place = self.place(&self.places.of(scope.tenant), scope.tenant, running).await?;
        Session::open(&self.around, &scope, &Arc::default(), place, running).await
    }

    /// Has a call of a destination that has not shown yet to be quick go on with the slow ones.
    async fn choose_lane(&self, destination: i64, running: &Running) {
        if !self.standings.is_quick(destination) {
            running.slow_down();
            tokio::task::yield_now().await; // it goes on there
        }
    }

    /// Takes a session back after a call that ended like this.
    pub(crate) fn give_back(&self, held: Held, running: &Running, ended: &Ended) {
        let Held { session, slot, _turn } = held;
        let quick = !running.has_burnt() && !matches!(ended, Ended::Broken(_));
        self.standings.note(slot.scope.destination, quick, self.now());
        match ended {
            Ended::Returned => {
                slot.suspect.store(false, Ordering::Relaxed);
                slot.used_ms.store(self.now(), Ordering::Relaxed);
                self.close_all(slot.put(session));
                // Not before it is there: who begins to wait now finds it there.
                if self.places.are_wanted(&slot.room) {
                    self.close_all(slot.take_oldest());
                }
            }
            Ended::Broken(reason) => {
                if reason.code == "deadline" {
                    slot.suspect.store(true, Ordering::Relaxed);
                }
                // Nothing of it can be trusted to run again.
                drop(session);
            }
            Ended::Failed(_) | Ended::NotRun(_) | Ended::Cut(_) => self.close_all([session]),
        }
    }

    /// A call was cut that does not come back: what it burnt is known all the same.
    pub(crate) fn note_cut(&self, target: &Target, running: &Running) {
        if running.has_burnt() {
            self.standings.note(target.destination, false, self.now());
        }
    }

    /// How many sessions were opened.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// How many sessions there are: in use and idle.
    pub(crate) fn live(&self) -> usize {
        self.places.taken()
    }

    /// Forgets a destination; what runs ends its call and does not come back. The sessions are for the caller to close.
    pub(crate) fn retire(&self, destination: i64) -> Vec<Session> {
        if let Some((_, tokens)) = self.tokens().remove(&destination) {
            tokens.clear();
        }
        let slot = self.slots().remove(&destination);
        slot.map(|slot| slot.retire()).unwrap_or_default()
    }

    /// Ends what uses a revision before this one, in the middle of its calls: see [`Sessions::revoked`].
    pub(crate) fn revoke(&self, destination: i64, revision: i64) {
        drop(self.retire(destination)); // no time for goodbyes
        let until_ms = self.now().saturating_add(FLOOR_MS);
        let mut floors = self.floors();
        let floor = floors.entry(destination).or_insert_with(Floor::none);
        floor.lowest.send_modify(|lowest| *lowest = (*lowest).max(revision));
        floor.until_ms = until_ms;
    }

    /// Ends when a credential of this revision was withdrawn.
    pub(crate) fn revoked(&self, destination: i64, revision: i64) -> impl Future<Output = ()> + Send + use<> {
        let mut lowest = self.floors().entry(destination).or_insert_with(Floor::none).lowest.subscribe();
        async move {
            if lowest.wait_for(|lowest| *lowest > revision).await.is_err() {
                std::future::pending().await // nobody is left who could revoke
            }
        }
    }

    /// Ends what was idle for too long, and lets the others send their heartbeats. Called every second or so.
    /// A session that takes its time does so beside the others.
    pub(crate) fn sweep(&self) {
        let now = self.now();
        let slots: Vec<Arc<Slot>> = self.slots().values().cloned().collect();
        for slot in slots {
            self.close_all(slot.expired(now));
            self.heartbeats(&slot, now);
        }
        self.slots().retain(|_, slot| !slot.is_unused(now));
        self.tokens().retain(|_, (_, tokens)| Arc::strong_count(tokens) > 1 || tokens.are_live(now));
        self.standings.sweep(now);
        self.floors().retain(|_, floor| floor.lowest.receiver_count() > 0 || now < floor.until_ms);
        self.places.forget_unused();
    }

    fn heartbeats(&self, slot: &Arc<Slot>, now: u64) {
        while let Ok(turn) = slot.turns.clone().try_acquire_owned() {
            let Some(mut session) = slot.wants_idle(now) else { return };
            let (clock, slot) = (self.around.clock.clone(), slot.clone());
            let revoked = self.revoked(slot.scope.destination, slot.edition.revision);
            self.around.slow.spawn(async move {
                // One that fails here is dropped: there is nothing left to close.
                let lives = tokio::select! {
                    biased;
                    () = revoked => false,
                    lives = session.idle(clock.as_ref()) => lives,
                };
                if lives && let Some(session) = slot.put(session) {
                    session.close().await;
                }
                drop(turn);
            });
        }
    }

    fn slot(&self, target: &Target) -> Result<Arc<Slot>, Ended> {
        let known = self.slots().get(&target.destination).cloned();
        if let Some(slot) = &known
            && slot.edition.is_of(target)
        {
            return Ok(slot.clone());
        }
        let mut scope = Scope::of(target).map_err(misconfigured)?;
        scope.tokens = self.tokens_of(target);
        let slot = Arc::new(Slot::new(Edition::of(target), Arc::new(scope), self.places.of(target.tenant), self.now()));
        if known.is_some_and(|known| known.edition.revision > target.revision) {
            // A call that was on its way when its destination changed: it must not bring the old edition back.
            slot.retire();
            return Ok(slot);
        }
        let old = self.slots().insert(target.destination, slot.clone());
        if let Some(old) = old {
            self.close_all(old.retire());
        }
        Ok(slot)
    }

    /// The tokens of this edition: those kept, or none yet. Those of an edition before it are dropped at once.
    fn tokens_of(&self, target: &Target) -> Arc<Tokens> {
        let mut all = self.tokens();
        match all.get(&target.destination) {
            Some((edition, tokens)) if edition.is_of(target) => return tokens.clone(),
            Some((edition, _)) if edition.revision > target.revision => return Arc::default(),
            Some((_, tokens)) => tokens.clear(),
            None => {}
        }
        let tokens = Arc::<Tokens>::default();
        all.insert(target.destination, (Edition::of(target), tokens.clone()));
        tokens
    }

    /// Room for one more session of a tenant. Where there is none, the session that was idle longest makes it, or the next
    /// one that comes back.
    async fn place(&self, room: &Arc<Room>, tenant: i64, running: &Running) -> Result<Place, Ended> {
        let wait = Duration::from_millis(u64::from(running.left_ms()) / 2);
        let both = async {
            let of_tenant = room.take(|| self.make_room(Some(tenant))).await?;
            let of_host = self.places.host().take(|| self.make_room(None)).await?;
            Some(Place { _of_host: of_host, _of_tenant: of_tenant })
        };
        tokio::time::timeout(wait, both).await.ok().flatten().ok_or_else(busy)
    }

    /// Closes sessions beside whatever runs now.
    pub(crate) fn close_all(&self, sessions: impl IntoIterator<Item = Session>) {
        for session in sessions {
            self.around.slow.spawn(session.close());
        }
    }

    fn make_room(&self, tenant: Option<i64>) {
        let slots: Vec<Arc<Slot>> = self.slots().values().cloned().collect();
        let of_tenant = slots.iter().filter(|slot| tenant.is_none_or(|tenant| slot.scope.tenant == tenant));
        let oldest = of_tenant.filter_map(|slot| Some((slot.oldest_ms()?, slot))).min_by_key(|(used_ms, _)| *used_ms);
        if let Some((_, slot)) = oldest {
            self.close_all(slot.take_oldest());
        }
    }

    fn now(&self) -> u64 {
        self.around.clock.monotonic_ms()
    }

    fn floors(&self) -> MutexGuard<'_, HashMap<i64, Floor>> {
        self.floors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tokens(&self) -> MutexGuard<'_, HashMap<i64, (Edition, Arc<Tokens>)>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<i64, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Floor {
    fn none() -> Self {
        Self { lowest: watch::Sender::new(i64::MIN), until_ms: 0 }
    }
}

fn busy() -> Ended {
    let message = "The host had no session free for this destination in time.";
    Ended::NotRun(Outcome::Untried(Reason::new("sandbox-busy", message)))
}

fn misconfigured(reason: Reason) -> Ended {
    Ended::NotRun(Outcome::Misconfigured(reason))
}

mod places;
mod slot;
mod standing;
#[cfg(test)]
mod tests;
