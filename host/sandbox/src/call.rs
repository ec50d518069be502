//! One call into a connector: what is handed over, what went out for it, and what each event came to.

mod ledger;

use self::ledger::{Entry, Ledger, entry};
use crate::egress::Traffic;
use crate::limits;
use railhead_model::{Clock, Event, EventUid, Exchange, Outcome, Reason, Timestamp, Transcript};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Events for one destination, handed over in one call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The same at every retry of a stable batch; else unique to this call.
    pub batch_id: String,
    /// True if the events are one batch for the destination; false: each goes by itself.
    pub batched: bool,
    /// Wall-clock bound of the whole call, waiting for a session included, in milliseconds.
    pub deadline_ms: u32,
    /// In order.
    pub events: Vec<CallEvent>,
}

/// One event of a call.
#[derive(Clone, Debug)]
pub struct CallEvent {
    /// As the connector sees it.
    pub event: Arc<Event>,
    /// Counts from 1.
    pub attempt: u32,
    /// W3C trace context for the destination.
    pub traceparent: Option<String>,
}

/// The outcome of one event.
#[derive(Clone, Debug)]
pub struct SettledEvent {
    /// Index into [`Call::events`].
    pub index: usize,
    /// As the connector classed it, or as the host classes what was left open.
    pub outcome: Outcome,
    /// What went over the wire for it, masked. In an exchange that events share each of them is another one's
    /// ([`Transcript::seen_by`]).
    pub transcript: Transcript,
    /// When its first request (or the call) started.
    pub started_at: Timestamp,
    /// From then to its outcome.
    pub duration_ms: u32,
}

/// Receives outcomes while the call runs, all of one turn of the guest together: to tell each alone would wake the
/// receiver's thread for each. Called from the guests' runtime: it must not block.
pub type Settle = Arc<dyn Fn(Vec<SettledEvent>) + Send + Sync>;

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Requests go out.
    Deliver,
    /// Requests go out, but there are no events.
    Check,
    /// Requests are captured instead.
    Preview,
}

/// How a call came to its end.
#[derive(Clone, Debug)]
pub(crate) enum Ended {
    /// The connector returned.
    Returned,
    /// The connector gave up with an error: it ends the session.
    Failed(Reason),
    /// It trapped, or the host stopped it: it ends the session.
    Broken(Reason),
    /// It was cut from outside, or the host itself failed: says nothing of the plugin.
    Cut(Reason),
    /// Nothing was handed over.
    NotRun(Outcome),
}

/// Requests of a quick call, beside two an event.
const MAX_QUICK_REQUESTS: usize = 16;

/// A call under way. Shared by the guest's store, the requests that run for it, and the caller.
pub(crate) struct Running {
    pub(crate) purpose: Purpose,
    pub(crate) call: Call,
    /// Of the events, by index.
    pub(crate) uids: Arc<[EventUid]>,
    pub(crate) started_at: Timestamp,
    started_ms: u64,
    clock: Arc<dyn Clock>,
    settle: Option<Settle>,
    ledger: Mutex<Ledger>,
    /// Where it runs, and what it turned out to be.
    slow: AtomicBool,
    handed_over: AtomicBool,
    burnt: AtomicBool,
    requests: AtomicUsize,
    /// Nanoseconds that its requests took to make.
    making_ns: AtomicU64,
}

impl Running {
    pub(crate) fn new(purpose: Purpose, call: Call, clock: Arc<dyn Clock>, settle: Option<Settle>) -> Arc<Self> {
        let entries = vec![Entry::default(); call.events.len()];
        Arc::new(Self {
            purpose,
            uids: call.events.iter().map(|event| event.event.uid).collect(),
            call,
            started_at: clock.now(),
            started_ms: clock.monotonic_ms(),
            clock,
            settle,
            ledger: Mutex::new(Ledger { entries, ..Ledger::default() }),
            slow: AtomicBool::new(false),
            handed_over: AtomicBool::new(false),
            burnt: AtomicBool::new(false),
            requests: AtomicUsize::new(0),
            making_ns: AtomicU64::new(0),
        })
    }

    /// Has it go on with the slow ones: its destination's last call was one.
    pub(crate) fn slow_down(&self) {
        self.slow.store(true, Ordering::Relaxed);
    }

    /// It used more CPU time than a quick call does.
    pub(crate) fn burns(&self) {
        self.slow.store(true, Ordering::Relaxed);
        self.burnt.store(true, Ordering::Relaxed);
    }

    /// True if it is to run with the slow ones.
    pub(crate) fn is_slow(&self) -> bool {
        self.slow.load(Ordering::Relaxed)
    }

    /// True if it used more CPU time than a quick call does.
    pub(crate) fn has_burnt(&self) -> bool {
        self.burnt.load(Ordering::Relaxed)
    }

    /// CPU time that it may use as a quick one.
    pub(crate) fn quick_cpu(&self) -> Duration {
        let events = u32::try_from(self.uids.len()).unwrap_or(u32::MAX);
        limits::QUICK.saturating_add(limits::QUICK_EACH.saturating_mul(events))
    }

    /// Milliseconds until the deadline.
    pub(crate) fn left_ms(&self) -> u32 {
        let gone = self.clock.monotonic_ms().saturating_sub(self.started_ms);
        u32::try_from(u64::from(self.call.deadline_ms).saturating_sub(gone)).unwrap_or(0)
    }

    /// The event of this index.
    pub(crate) fn event(&self, index: u32) -> Option<&CallEvent> {
        self.call.events.get(usize::try_from(index).ok()?)
    }

    /// A request that carries these events is about to leave.
    pub(crate) fn leaving(&self, events: &[u32]) {
        let quick = MAX_QUICK_REQUESTS.saturating_add(self.uids.len().saturating_mul(2));
        if self.requests.fetch_add(1, Ordering::Relaxed) >= quick {
            self.burns(); // what the host does for a request is work too
        }
        let now = (self.clock.now(), self.clock.monotonic_ms());
        self.each(events, |entry| {
            entry.carried = entry.carried.saturating_add(1);
            entry.started.get_or_insert(now);
        });
    }

    /// From here on bytes that a stream writes may be events.
    pub(crate) fn handed_over(&self) {
        self.handed_over.store(true, Ordering::Relaxed);
    }

    /// Something is about to be written to a stream: nobody but the connector knows what of which events.
    pub(crate) fn wrote(&self) {
        if self.purpose != Purpose::Deliver || !self.handed_over.load(Ordering::Relaxed) {
            return;
        }
        let now = (self.clock.now(), self.clock.monotonic_ms());
        let mut ledger = self.ledger();
        if !std::mem::replace(&mut ledger.written, true) {
            for entry in ledger.entries.iter_mut().filter(|entry| !entry.settled) {
                entry.carried = entry.carried.saturating_add(1);
                entry.started.get_or_insert(now);
            }
        }
    }

    /// A connection that this call uses: on record for events whose exchanges are not.
    pub(crate) fn counts(&self, traffic: Arc<Traffic>) {
        if self.purpose == Purpose::Deliver {
            self.ledger().count(traffic);
        }
    }

    /// A request took so long to make, maybe on another thread than the call's own.
    pub(crate) fn made(&self, making: Duration) {
        let making = u64::try_from(making.as_nanos()).unwrap_or(u64::MAX);
        let all = self.making_ns.fetch_add(making, Ordering::Relaxed).saturating_add(making);
        if Duration::from_nanos(all) > self.quick_cpu() {
            self.burns();
        }
    }

    /// A request that carries these events is over.
    pub(crate) fn over(&self, events: &[u32], may_have_arrived: bool, exchange: Exchange) {
        if !may_have_arrived {
            self.each(events, |entry| entry.carried = entry.carried.saturating_sub(1));
        }
        self.show(events, exchange);
    }

    /// Keeps an exchange for the record of these events.
    pub(crate) fn show(&self, events: &[u32], exchange: Exchange) {
        let mut ledger = self.ledger();
        match self.purpose {
            Purpose::Check => {}
            Purpose::Preview => ledger.shown.push((events.to_vec(), exchange)),
            Purpose::Deliver => ledger.keep(events, exchange),
        }
    }

    /// How many exchanges a preview keeps.
    pub(crate) fn shown_count(&self) -> usize {
        self.ledger().shown.len()
    }

    /// All that was shown, in order, with the events that each carried.
    pub(crate) fn take_shown(&self) -> Vec<(Vec<u32>, Exchange)> {
        std::mem::take(&mut self.ledger().shown)
    }

    /// The connector's word on some events; the first word on each counts. Handed on at the end of the guest's turn.
    pub(crate) fn settle(&self, events: &[u32], outcome: &Outcome) {
        if self.purpose != Purpose::Deliver {
            return;
        }
        for index in events {
            self.settle_one(*index, |_| outcome.clone());
        }
    }

    /// Settles what is still open. Does nothing the second time.
    pub(crate) fn finish(&self, ended: &Ended) {
        for index in 0..u32::try_from(self.call.events.len()).unwrap_or(u32::MAX) {
            self.settle_one(index, |carried| left_open(ended, carried));
        }
        self.hand_on();
    }

    /// Hands on what was settled since the last time.
    pub(crate) fn hand_on(&self) {
        let Some(settle) = &self.settle else { return };
        let settled = std::mem::take(&mut self.ledger().settled);
        if !settled.is_empty() {
            settle(settled);
        }
    }

    fn settle_one(&self, index: u32, outcome: impl FnOnce(bool) -> Outcome) {
        let Some(event) = self.event(index).filter(|_| self.settle.is_some()) else { return };
        let mut ledger = self.ledger();
        let Some(entry) = entry(&mut ledger.entries, index).filter(|entry| !entry.settled) else { return };
        entry.settled = true;
        let carried = entry.carried > 0;
        let (started_at, started_ms) = entry.started.unwrap_or((self.started_at, self.started_ms));
        let kept = std::mem::take(&mut entry.exchanges);
        let kept = if kept.is_empty() { ledger.of_streams() } else { kept };
        // What other events refer to is shared with them; a copy for each would cost more than the request did.
        let exchanges = kept.into_iter().map(|(mut exchange, _)| {
            if let Some(own) = Arc::get_mut(&mut exchange) {
                crate::egress::make_own(own, event.event.uid);
            }
            exchange
        });
        let exchanges = exchanges.collect();
        ledger.settled.push(SettledEvent {
            index: usize::try_from(index).unwrap_or(usize::MAX),
            outcome: outcome(carried),
            transcript: Transcript { exchanges, ..Transcript::default() },
            started_at,
            duration_ms: u32::try_from(self.clock.monotonic_ms().saturating_sub(started_ms)).unwrap_or(u32::MAX),
        });
    }

    fn each(&self, events: &[u32], mut change: impl FnMut(&mut Entry)) {
        let mut ledger = self.ledger();
        for index in events {
            if let Some(entry) = entry(&mut ledger.entries, *index) {
                change(entry);
            }
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The outcome of an event that the connector said nothing of.
fn left_open(ended: &Ended, carried: bool) -> Outcome {
    match ended {
        Ended::NotRun(outcome) => outcome.clone(),
        Ended::Broken(reason) if !carried => Outcome::Transient(reason.clone(), None),
        Ended::Returned if carried => Outcome::Uncertain(unsettled()),
        Ended::Returned => Outcome::Untried(unsettled()),
        Ended::Failed(reason) | Ended::Broken(reason) | Ended::Cut(reason) if carried => {
            Outcome::Uncertain(reason.clone())
        }
        Ended::Failed(reason) | Ended::Broken(reason) | Ended::Cut(reason) => Outcome::Untried(reason.clone()),
    }
}

fn unsettled() -> Reason {
    Reason::new("unsettled", "The connector returned without an outcome for this event.")
}

/// Settles what is open when it goes, whatever happened to the call: aborted, or a fault of the host.
pub(crate) struct Unfinished(pub(crate) Arc<Running>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.0.finish(&Ended::Cut(Reason::new("aborted", "The host stopped this call before it ended.")));
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Running({:?}, {} events)", self.purpose, self.call.events.len())
    }
}

#[cfg(test)]
mod tests;
