//! A running engine: its parts, its tasks, its start and its end.

use crate::catalog::Catalog;
use crate::config::Changed;
use crate::connectors::Connectors;
use crate::core::Input;
use crate::draft::Overloaded;
use crate::driver::{Driver, Message};
use crate::fleet::Fleet;
use crate::handle::{Delivery, Parts};
use crate::hints::Outbox;
use crate::ingest::{AcceptLane, AcceptQueue, Tables};
use crate::keyring::Keyring;
use crate::lease::{Keeper, LeaseClock};
use crate::mint::Mint;
use crate::operator::Notices;
use crate::options::Options;
use crate::payloads::Payloads;
use crate::readiness::{NotReady, Signs};
use crate::record::{Remembered, Waiters};
use crate::{hints, jobs, lease, operator};
use railhead_model::{Clock, EventUid, HostId};
use railhead_store::hints::Hint;
use railhead_store::{Store, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinSet;

/// What every task of the engine shares.
pub(crate) struct Shared {
    pub store: Arc<dyn Store>,
    pub connectors: Arc<dyn Connectors>,
    pub catalog: Arc<Catalog>,
    pub clock: Arc<dyn Clock>,
    pub options: Options,
    pub keyring: Arc<Keyring>,
    pub tables: Tables,
    pub payloads: Payloads,
    pub fleet: Fleet,
    pub remembered: Remembered,
    pub waiters: Waiters,
    pub accept: AcceptLane,
    pub lease: LeaseClock,
    pub outbox: Outbox,
    /// Wakes the survey: anything may have changed.
    pub anything: Notify,
    /// Wakes the reload: any configuration may have changed.
    pub reload: Notify,
    pub notices: Notices,
    /// Wakes the steppers of replays.
    pub jobs: Notify,
    /// Wakes the stepper of fan-outs.
    pub fanouts: Notify,
    pub host: HostId,
    mint: Mint,
    /// To the driver. Unbounded, because its senders are bounded: attempts by what may be in flight, accepts by their
    /// queue, the rest by their periods.
    driver: mpsc::UnboundedSender<Message>,
    /// To the task that reloads configuration; it drains them all at once.
    pub changes: mpsc::UnboundedSender<Changed>,
    /// Counts what was heard of API keys: who remembers some forgets them when it moves.
    pub keys: AtomicU64,
    accepting: AtomicBool,
    loaded: watch::Sender<bool>,
    fenced: watch::Sender<bool>,
}

/// A running engine. Dropped without [`Running::shutdown`], it stops at once, as a crash would.
pub struct Running {
    /// The handle for everybody else.
    pub delivery: Delivery,
    /// The driver and the lease, which must outlive the last record.
    core: JoinSet<()>,
    others: JoinSet<()>,
}

/// Why the engine does not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The database does not let this host in.
    #[error("the host cannot join: {0}")]
    Store(#[from] StoreError),
}

/// Joins, takes over what is free, loads it, and delivers.
///
/// # Errors
/// [`StartError`].
pub async fn start(parts: Parts) -> Result<Running, StartError> {
    crate::measures::describe();
    let (driver, inputs) = mpsc::unbounded_channel();
    let (changes, changed) = mpsc::unbounded_channel();
    let (notices, told) = operator::channel();
    let (accept, queue) = crate::ingest::lane(&parts.options);
    let shared = Arc::new(Shared::new(parts, accept, notices, driver, changes));
    let seed = shared.options.seed.unwrap_or_else(|| u64::from_le_bytes(shared.random()));
    let mut core = JoinSet::new();
    core.spawn(Driver::new(Arc::clone(&shared), seed).run(inputs));
    core.spawn(Keeper::join(&shared).await?.run());
    let others = spawn_others(&shared, queue, changed, told);
    Ok(Running { delivery: Delivery { shared }, core, others })
}

fn spawn_others(
    shared: &Arc<Shared>,
    queue: AcceptQueue,
    changed: mpsc::UnboundedReceiver<Changed>,
    told: operator::Told,
) -> JoinSet<()> {
    let mut others = JoinSet::new();
    others.spawn(queue.run(Arc::clone(shared)));
    others.spawn(crate::config::follow(Arc::clone(shared), changed));
    others.spawn(crate::config::reload(Arc::clone(shared)));
    others.spawn(hints::survey(Arc::clone(shared)));
    others.spawn(hints::speak(Arc::clone(shared)));
    others.spawn(hints::listen(Arc::clone(shared)));
    others.spawn(operator::run(Arc::clone(shared), told));
    jobs::spawn(shared, &mut others);
    others
}

/// How long an abort may take to be recorded at a shutdown.
const ABORT: Duration = Duration::from_secs(3);

/// How long the last word to other hosts may take.
const LAST_WORD: Duration = Duration::from_secs(1);

impl Running {
    /// Comes back when another host took this one's shards over: nothing is recorded any more, and the process must
    /// start again.
    pub async fn fenced(&self) {
        let mut fenced = self.delivery.shared.fenced.subscribe();
        let _ = fenced.wait_for(|fenced| *fenced).await; // its sender lives as long as `self`
    }

    /// Not ready; finishes accepts; starts nothing more; waits for running attempts, then aborts them; records;
    /// releases its shards.
    pub async fn shutdown(mut self) {
        let shared = Arc::clone(&self.delivery.shared);
        shared.accepting.store(false, Ordering::Release);
        tracing::info!("shutting down: accepts are finished first, then running attempts");
        // One deadline for both: a supervisor's patience is counted from the signal.
        let until_ms = shared.clock.monotonic_ms() + shared.options.drain_ms;
        let left = || Duration::from_millis(until_ms.saturating_sub(shared.clock.monotonic_ms()));
        if tokio::time::timeout(left(), shared.accept.flush()).await.is_err() {
            tracing::warn!("accept commits still wait for the database; their publishers get no answer");
        }
        self.others.shutdown().await;
        shared.input(Input::Drain);
        if tokio::time::timeout(left(), shared.drained()).await.is_err() {
            tracing::warn!("attempts still run after the drain time; they are aborted and will be repeated");
            let _ = shared.driver.send(Message::AbortAll);
            let _ = tokio::time::timeout(ABORT, shared.drained()).await;
        }
        self.core.shutdown().await;
        match shared.store.leave(shared.host).await {
            Ok(()) => {
                shared.tell_of_free_shards().await;
                tracing::info!("shut down in order");
            }
            Err(error) => tracing::warn!(%error, "shards could not be released; another host waits for the lease"),
        }
    }
}

impl Shared {
    fn new(
        parts: Parts,
        accept: AcceptLane,
        notices: Notices,
        driver: mpsc::UnboundedSender<Message>,
        changes: mpsc::UnboundedSender<Changed>,
    ) -> Self {
        let Parts { store, vault, connectors, catalog, clock, options } = parts;
        let mut random = [0; 10];
        vault.random().fill(&mut random);
        let host = HostId::new(clock.now(), random);
        let keyring = Arc::new(Keyring::new(vault));
        let tables = Tables::new(Arc::clone(&store), Arc::clone(&keyring), Arc::clone(&clock), options.routing_tables);
        Self {
            payloads: Payloads::new(options.payload_cache_bytes),
            fleet: Fleet::default(),
            remembered: Remembered::default(),
            waiters: Waiters::default(),
            mint: Mint::default(),
            lease: LeaseClock::default(),
            outbox: Outbox::default(),
            anything: Notify::new(),
            reload: Notify::new(),
            jobs: Notify::new(),
            fanouts: Notify::new(),
            keys: AtomicU64::new(0),
            accepting: AtomicBool::new(true),
            loaded: watch::Sender::new(false),
            fenced: watch::Sender::new(false),
            store,
            connectors,
            catalog,
            clock,
            options,
            keyring,
            tables,
            accept,
            notices,
            host,
            driver,
            changes,
        }
    }

    /// Tells the driver. It is gone only at the very end of a shutdown.
    pub fn tell(&self, message: Message) {
        let _ = self.driver.send(message);
    }

    /// False once it shuts down, or was fenced.
    pub fn is_accepting(&self) -> bool {
        self.accepting.load(Ordering::Acquire)
    }

    /// The last word: others need not wait for their next look.
    async fn tell_of_free_shards(&self) {
        let mut notifier = self.store.notifier(self.host);
        let _ = tokio::time::timeout(LAST_WORD, notifier.notify(&[Hint::Shards])).await; // they look soon anyway
    }

    /// Tells the engine. It is gone only at the very end of a shutdown, when nobody needs to know.
    pub fn input(&self, input: Input) {
        let _ = self.driver.send(Message::Input(input));
    }

    /// Tells the engine several things at once: nothing else comes between them.
    pub fn inputs(&self, inputs: Vec<Input>) {
        let _ = self.driver.send(Message::Inputs(inputs));
    }

    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.keyring.vault().random().fill(&mut bytes);
        bytes
    }

    pub fn mint(&self) -> EventUid {
        self.mint.uid(self.clock.now(), self.random())
    }

    /// Whether a publish may come in.
    pub fn admit(&self) -> Result<(), Overloaded> {
        if !self.accepting.load(Ordering::Acquire) {
            return Err(Overloaded::Unavailable("the host shuts down".into()));
        }
        self.accept.admission.look(self.clock.monotonic_ms())
    }

    pub fn readiness(&self) -> Result<(), NotReady> {
        let signs = Signs {
            fenced: *self.fenced.borrow(),
            accepting: self.accepting.load(Ordering::Acquire),
            loaded: *self.loaded.borrow(),
            lease_until_ms: self.lease.until_ms(),
            lease_ms: lease::own_ms(&self.options),
            renew_ms: self.options.renew_ms,
        };
        signs.judge(self.clock.monotonic_ms())
    }

    pub fn set_loaded(&self) {
        self.loaded.send_replace(true);
    }

    pub async fn loaded(&self) {
        let _ = self.loaded.subscribe().wait_for(|loaded| *loaded).await; // its sender lives as long as `self`
    }

    /// Another host took over: the engine stops, and the process is told.
    pub fn fenced(&self) {
        if !self.fenced.send_replace(true) {
            tracing::error!(host = %self.host, "this host was fenced: another one took its work over; it must start again");
            self.accepting.store(false, Ordering::Release);
            self.lease.end();
            self.input(Input::Fenced);
        }
    }

    async fn drained(&self) {
        let (done, drained) = oneshot::channel();
        if self.driver.send(Message::Drained(done)).is_ok() {
            let _ = drained.await; // an error says that the driver is gone, and with it all that ran
        }
    }
}
