//! Runs the engine: one task owns it, steps it, and starts what it asks for on tokio.
//!
//! A hand-over is a task of its own, and so is each query; nothing here waits for them. A hand-over that panics is over
//! like any other, and its deliveries are tried again. One that kills the process is not told apart: its deliveries are
//! tried again by the next start.

use crate::attempt::{self, Call, Over};
use crate::core::{AttemptId, Config, Effect, Engine, Input, Now};
use crate::operator::Notice;
use crate::running::Shared;
use crate::starts::{self, Start};
use railhead_model::{DestinationNo, ShardNo};
use railhead_store::work::{Health, StableBatch};
use railhead_store::{RefillAsk, StoreError};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tracing::Instrument as _;

/// What comes to the driver.
pub(crate) enum Message {
    Input(Input),
    /// Nothing else comes between them.
    Inputs(Vec<Input>),
    /// Answered once nothing runs and nothing waits for its record.
    Drained(oneshot::Sender<()>),
    /// Answered once nothing of a shard's destinations is in flight, which were told to be gone before.
    Clear(Cleared),
    /// Cuts every running hand-over.
    AbortAll,
}

/// Who is told once a shard is clear.
pub(crate) struct Cleared {
    pub shard: ShardNo,
    pub tell: mpsc::UnboundedSender<ShardNo>,
}

/// Messages taken at once.
const AT_ONCE: usize = 512;
/// Destinations refilled by one query.
const REFILLS: usize = 64;
/// The longest wait between two looks at the clock. Timers stand still while the machine sleeps, and the clock does not:
/// after that, what the end of the lease cuts must not run on for long.
const NAP: Duration = Duration::from_secs(1);
/// Pause before a failed refill, or the write of a batch's members, is asked for again.
const AGAIN: Duration = Duration::from_millis(250);

/// Owns the engine.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    engine: Engine,
    /// Running hand-overs, and how many events each has.
    attempts: HashMap<AttemptId, (AbortHandle, usize)>,
    in_flight: usize,
    wake_at: Option<u64>,
    drained: Vec<oneshot::Sender<()>>,
    clearing: Vec<Cleared>,
    /// Unbounded, because a transition takes an attempt: with no database no attempt starts, and nothing comes.
    health: mpsc::UnboundedSender<(DestinationNo, Health)>,
    /// Few wait here: the engine bounds how many starts are not on record.
    starts: mpsc::UnboundedSender<Start>,
}

impl Driver {
    pub fn new(shared: Arc<Shared>, seed: u64) -> Self {
        let config = Config { in_flight: shared.options.in_flight, ..Config::default() };
        let (health, saved) = mpsc::unbounded_channel();
        tokio::spawn(save_health(Arc::clone(&shared), saved));
        let (starts, begun) = mpsc::unbounded_channel();
        tokio::spawn(starts::run(Arc::clone(&shared), begun));
        let engine = Engine::new(config, seed);
        Self {
            shared,
            engine,
            attempts: HashMap::new(),
            in_flight: 0,
            wake_at: None,
            drained: Vec::new(),
            clearing: Vec::new(),
            health,
            starts,
        }
    }

    /// Until every handle on the engine is gone.
    pub async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Message>) {
        let mut came = Vec::with_capacity(AT_ONCE);
        let mut effects = Vec::new();
        let mut alarm = std::pin::pin!(tokio::time::sleep(Duration::ZERO));
        let mut set_for = None;
        loop {
            if let Some(at) = self.wake_at.filter(|at| set_for != Some(*at)) {
                let wait = Duration::from_millis(at.saturating_sub(self.shared.clock.monotonic_ms()));
                alarm.set(tokio::time::sleep(wait.min(NAP)));
                set_for = Some(at);
            }
            tokio::select! {
                n = inbox.recv_many(&mut came, AT_ONCE) => if n == 0 { return },
                () = &mut alarm, if self.wake_at.is_some() => {
                    set_for = None; // an alarm that came early is set again
                    if self.wake_at.take_if(|at| *at <= self.shared.clock.monotonic_ms()).is_some() {
                        came.push(Message::Input(Input::Tick));
                    }
                }
            }
            let now = Now { wall: self.shared.clock.now(), mono_ms: self.shared.clock.monotonic_ms() };
            for message in came.drain(..) {
                self.take(now, message, &mut effects);
            }
            self.execute(&mut effects);
            self.tell_if_drained();
            self.tell_of_clear();
        }
    }

    fn take(&mut self, now: Now, message: Message, effects: &mut Vec<Effect>) {
        match message {
            Message::Input(input) => {
                if let Input::AttemptOver(id) = &input
                    && let Some((_, events)) = self.attempts.remove(id)
                {
                    self.in_flight -= events;
                }
                self.engine.step(now, input, effects);
            }
            Message::Inputs(inputs) => inputs.into_iter().for_each(|input| self.engine.step(now, input, effects)),
            Message::Drained(done) => self.drained.push(done),
            Message::Clear(cleared) => self.clearing.push(cleared),
            Message::AbortAll => self.abort_all(),
        }
    }

    fn execute(&mut self, effects: &mut Vec<Effect>) {
        let mut refills = Vec::new();
        let mut failing = Vec::new();
        for effect in effects.drain(..) {
            match effect {
                Effect::Attempt { id, destination, items, batch, careful, .. } => {
                    let call = Call { id, destination, items, batch, careful };
                    let over = Over::new(Arc::clone(&self.shared), &call);
                    let events = call.items.len();
                    self.in_flight += events;
                    let span = tracing::debug_span!("hand_over", destination = %destination, events);
                    let running = tokio::spawn(attempt::run(call, over).instrument(span)).abort_handle();
                    self.attempts.insert(id, (running, events));
                }
                Effect::Start { id, deliveries, alone } => {
                    let _ = self.starts.send(Start { id, deliveries, alone }); // its task lives as long as this one
                }
                Effect::Unstart { id, deliveries } => {
                    drop(tokio::spawn(starts::take_back(Arc::clone(&self.shared), id, deliveries)));
                }
                Effect::Abort(id) => {
                    if let Some((running, _)) = self.attempts.get(&id) {
                        running.abort();
                    }
                }
                Effect::Refill(ask) => refills.push(ask),
                Effect::Record { id, items } => {
                    tokio::spawn(crate::record::record(Arc::clone(&self.shared), id, items));
                }
                Effect::SaveHealth(no, health) => {
                    self.shared.fleet.set_health(no, health.clone());
                    let _ = self.health.send((no, health)); // its task lives as long as this one
                }
                Effect::OpenBatch(batch) => drop(tokio::spawn(open_batch(Arc::clone(&self.shared), batch))),
                Effect::CloseBatch(no, number) => {
                    drop(tokio::spawn(close_batch(Arc::clone(&self.shared), no, number)));
                }
                Effect::Failing(no, failing_now) => failing.push(Notice::Failing { no, failing: failing_now }),
                Effect::Disable(no, reason) => {
                    drop(tokio::spawn(crate::config::disable(Arc::clone(&self.shared), no, reason)));
                }
                Effect::WakeAt(at) => self.wake_at = Some(at),
            }
        }
        // After the health that says why.
        failing.into_iter().for_each(|notice| self.shared.notices.tell(notice));
        for asks in refills.chunks(REFILLS) {
            tokio::spawn(refill(Arc::clone(&self.shared), asks.to_vec()));
        }
        metrics::gauge!(crate::measures::HAND_OVERS).set(self.attempts.len() as f64);
        metrics::gauge!(crate::measures::IN_FLIGHT).set(self.in_flight as f64);
    }

    fn abort_all(&self) {
        self.attempts.values().for_each(|(running, _)| running.abort());
    }

    fn tell_if_drained(&mut self) {
        if !self.drained.is_empty() && self.engine.is_quiet() {
            for done in self.drained.drain(..) {
                let _ = done.send(()); // whoever asked may have given up
            }
        }
    }
}

impl Driver {
    fn tell_of_clear(&mut self) {
        let engine = &self.engine;
        for Cleared { shard, tell } in self.clearing.extract_if(.., |one| engine.is_clear(one.shard)) {
            let _ = tell.send(shard); // whoever asked may have been fenced meanwhile
        }
    }
}

impl Drop for Driver {
    /// Nothing runs on without an engine that knows of it.
    fn drop(&mut self) {
        self.abort_all();
    }
}

async fn refill(shared: Arc<Shared>, asks: Vec<RefillAsk>) {
    match shared.store.refill(&asks).await {
        Ok(answers) => {
            for answer in answers {
                shared.input(Input::Refilled { destination: answer.destination, rows: answer.rows });
            }
        }
        Err(error) => {
            tracing::warn!(%error, destinations = asks.len(), "waiting work cannot be read now; it is asked for again");
            tokio::time::sleep(AGAIN).await;
            asks.iter().for_each(|ask| shared.input(Input::RefillFailed(ask.destination)));
        }
    }
}

/// Stores health, the newest of each destination; what fails is superseded by the next transition.
async fn save_health(shared: Arc<Shared>, mut saved: mpsc::UnboundedReceiver<(DestinationNo, Health)>) {
    let mut came = Vec::new();
    while saved.recv_many(&mut came, AT_ONCE).await > 0 {
        let newest: BTreeMap<_, _> = came.drain(..).collect();
        // What moved away is written by its new owner.
        let held = shared.lease.held().clone();
        let newest: Vec<_> = newest.into_iter().filter(|(no, _)| held.contains(&no.shard())).collect();
        match shared.store.save_health(shared.host, &newest).await {
            Ok(()) => {}
            Err(StoreError::Fenced) => shared.fenced(),
            Err(error) => tracing::warn!(%error, "destinations' health could not be stored"),
        }
    }
}

async fn open_batch(shared: Arc<Shared>, batch: StableBatch) {
    let opened = until_done(&shared, || shared.store.open_batches(shared.host, std::slice::from_ref(&batch))).await;
    if opened.is_some() {
        shared.input(Input::BatchOpened(batch.destination, batch.number));
    }
}

async fn close_batch(shared: Arc<Shared>, destination: DestinationNo, number: u64) {
    if until_done(&shared, || shared.store.close_batch(shared.host, destination, number)).await.is_some() {
        shared.input(Input::BatchClosed(destination, number));
    }
}

/// Repeats a harmless write until it is done; `None` if it never can be.
pub(crate) async fn until_done<T, F: Future<Output = Result<T, StoreError>>>(
    shared: &Shared,
    mut write: impl FnMut() -> F,
) -> Option<T> {
    loop {
        match write().await {
            Ok(done) => return Some(done),
            Err(StoreError::Fenced) => {
                shared.fenced();
                return None;
            }
            Err(error) if error.is_retryable() => tokio::time::sleep(AGAIN).await,
            Err(error) => {
                tracing::error!(%error, "what comes before an attempt could not be stored");
                return None;
            }
        }
    }
}
