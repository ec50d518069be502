//! The sandbox as the host uses it: load connectors, hand events over.

use crate::call::{Call, Ended, Purpose, Running, Settle, Unfinished};
use crate::egress::Egress;
use crate::engine::{self, Ticker};
use crate::lanes::Lanes;
use crate::load::{Compiler, Connector, LoadError, Loader};
use crate::session::Surroundings;
use crate::sessions::Sessions;
use crate::target::Target;
use railhead_model::{Clock, Exchange, Random, Reason, SystemRandom};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::Engine;

/// How the sandbox is set up.
#[derive(Clone)]
pub struct SandboxConfig {
    /// Sessions at once, of all destinations. Each takes address space, and memory once it runs.
    pub max_instances: u32,
    /// Where compiled images are kept; `None`: nowhere.
    pub cache_dir: Option<PathBuf>,
    /// Authenticates images in the cache: derived from the master key, for nothing else.
    pub cache_key: [u8; 32],
    /// Where components are compiled.
    pub compiler: Compiler,
    /// CPU time that a guest may use in one call, in milliseconds. Waiting in host calls does not count;
    /// what the host computes for it (compression, joining, masking, signing) does.
    pub cpu_budget_ms: u32,
    /// Threads that guests run on; 0: as many as the machine has cores.
    pub threads: usize,
    /// Makes the nonces of logins.
    pub random: Arc<dyn Random>,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            max_instances: 256,
            cache_dir: None,
            cache_key: [0; 32],
            compiler: Compiler::InProcess,
            cpu_budget_ms: 1_000,
            threads: 0,
            random: Arc::new(SystemRandom),
        }
    }
}

impl fmt::Debug for SandboxConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxConfig")
            .field("max_instances", &self.max_instances)
            .field("cache_dir", &self.cache_dir)
            .field("compiler", &self.compiler)
            .field("cpu_budget_ms", &self.cpu_budget_ms)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// Why the sandbox cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The WebAssembly engine, or its cache of images.
    #[error("the WebAssembly engine cannot be set up: {0}")]
    Engine(String),
    /// Threads of its own.
    #[error("the threads of the sandbox cannot be started: {0}")]
    Threads(#[from] std::io::Error),
}

/// Runs connectors, on threads of its own: a guest that spins delays other guests at most, never the host.
pub struct Sandbox {
    loader: Loader,
    sessions: Arc<Sessions>,
    egress: Arc<Egress>,
    clock: Arc<dyn Clock>,
    lanes: Lanes,
    _ticker: Ticker,
}

impl Sandbox {
    /// Sets engine, threads and pool up.
    ///
    /// # Errors
    /// If the system does not give what it needs.
    pub fn new(config: SandboxConfig, egress: Arc<Egress>, clock: Arc<dyn Clock>) -> Result<Arc<Self>, SandboxError> {
        let places = config.max_instances.max(1);
        // A few more than there are places: an instance that just ended may still be on its way back.
        let engine = engine::running(places.saturating_add(8)).map_err(wrong)?;
        Self::on(&engine, config, egress, clock)
    }

    /// The same on an engine that is there.
    ///
    /// # Errors
    /// As [`Sandbox::new`].
    pub(crate) fn on(
        engine: &Engine,
        config: SandboxConfig,
        egress: Arc<Egress>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, SandboxError> {
        let places = config.max_instances.max(1);
        let loader =
            Loader::new(engine, config.compiler, config.cache_dir.as_deref(), &config.cache_key).map_err(wrong)?;
        let cpu = Duration::from_millis(config.cpu_budget_ms.into());
        let lanes = Lanes::start(config.threads)?;
        let slow = lanes.slow().clone();
        egress.set_aside(slow.clone());
        egress.set_home(lanes.quick().clone());
        let around = Surroundings { egress: egress.clone(), clock: clock.clone(), random: config.random, cpu, slow };
        let sessions = Arc::new(Sessions::new(around, places));
        lanes.quick().spawn(sweep(Arc::downgrade(&sessions)));
        let ticker = Ticker::start(engine)?;
        Ok(Arc::new(Self { loader, sessions, egress, clock, lanes, _ticker: ticker }))
    }

    /// Checks a component and makes it ready to run. Nothing of it runs.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn load(&self, component: &[u8]) -> Result<Arc<Connector>, LoadError> {
        self.loader.load(component).await.map(Arc::new)
    }

    /// Hands events over. Every event is settled exactly once before this returns, or is dropped.
    ///
    /// Dropping the future cuts the requests of the call and ends its session.
    pub async fn deliver(&self, target: impl Into<Arc<Target>>, call: Call, settle: Settle) {
        let running = Running::new(Purpose::Deliver, call, self.clock.clone(), Some(settle));
        let (target, sessions) = (target.into(), self.sessions.clone());
        let unfinished = Unfinished(running.clone());
        let revoked = sessions.revoked(target.destination, target.revision);
        self.lanes
            .run(running.clone(), async move {
                // Settles what is open even if this task is aborted.
                let unfinished = unfinished;
                let delivery = async {
                    match sessions.hold(&target, &running).await {
                        Ok(mut held) => {
                            let ended = held.session.deliver(&running).await;
                            running.finish(&ended);
                            sessions.give_back(held, &running, &ended);
                        }
                        Err(ended) => running.finish(&ended),
                    }
                };
                tokio::select! {
                    biased;
                    () = revoked => {
                        sessions.note_cut(&target, &running);
                        running.finish(&Ended::Cut(withdrawn()));
                    }
                    () = delivery => {}
                }
                drop(unfinished);
            })
            .await;
    }

    /// Resolves, connects, logs in; sends no event. `call` has none.
    ///
    /// # Errors
    /// Why the connector could not run to the end.
    pub async fn check(
        &self,
        target: impl Into<Arc<Target>>,
        call: Call,
    ) -> Result<Vec<Result<String, Reason>>, Reason> {
        let running = Running::new(Purpose::Check, call, self.clock.clone(), None);
        let (target, sessions) = (target.into(), self.sessions.clone());
        let revoked = sessions.revoked(target.destination, target.revision);
        let checked = self.lanes.run(running.clone(), async move {
            let check = async {
                let mut held = sessions.hold(&target, &running).await.map_err(why)?;
                match held.session.check(&running).await {
                    Ok(steps) => {
                        sessions.give_back(held, &running, &Ended::Returned);
                        Ok(steps)
                    }
                    Err(ended) => {
                        sessions.give_back(held, &running, &ended);
                        Err(why(ended))
                    }
                }
            };
            tokio::select! {
                biased;
                () = revoked => Err(withdrawn()),
                checked = check => checked,
            }
        });
        checked.await.unwrap_or_else(|| Err(host_fault()))
    }

    /// What `deliver` would send: pairs of the events that a request carries and the request. Nothing leaves the host.
    ///
    /// # Errors
    /// Why the connector could not run at all.
    pub async fn preview(
        &self,
        target: impl Into<Arc<Target>>,
        call: Call,
    ) -> Result<Vec<(Vec<u32>, Exchange)>, Reason> {
        let running = Running::new(Purpose::Preview, call, self.clock.clone(), None);
        let (target, sessions) = (target.into(), self.sessions.clone());
        let previewed = self.lanes.run(running.clone(), async move {
            let mut session = sessions.apart(&target, &running).await.map_err(why)?;
            let ended = session.preview(&running).await;
            let shown = running.take_shown();
            match ended {
                Ended::Returned => Ok(shown),
                // Many a connector gives up when its first request "fails": what it showed is the answer.
                _ if !shown.is_empty() => Ok(shown),
                ended => Err(why(ended)),
            }
        });
        previewed.await.unwrap_or_else(|| Err(host_fault()))
    }

    /// Ends the sessions of a destination that changed or is gone: idle ones now, running ones after their call.
    pub fn retire(&self, destination: i64) {
        self.sessions.close_all(self.sessions.retire(destination));
        self.egress.forget(destination);
    }

    /// Ends all sessions of a destination at once, in the middle of their calls: a credential was withdrawn. `revision` is
    /// the first one without it; calls of older ones end, or do not begin.
    pub fn revoke(&self, destination: i64, revision: i64) {
        self.sessions.revoke(destination, revision);
        self.egress.forget(destination);
    }

    /// How many sessions were opened so far: for statistics.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.sessions.opened()
    }

    /// How many sessions there are: for statistics.
    #[must_use]
    pub fn live(&self) -> usize {
        self.sessions.live()
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sandbox")
    }
}

fn wrong(error: wasmtime::Error) -> SandboxError {
    SandboxError::Engine(format!("{error:#}"))
}

async fn sweep(sessions: std::sync::Weak<Sessions>) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        second.tick().await;
        let Some(sessions) = sessions.upgrade() else { return };
        sessions.sweep();
    }
}

/// Why a call that is not a delivery did not come to its end.
fn why(ended: Ended) -> Reason {
    match ended {
        Ended::Returned => Reason::new("unsettled", "The connector returned nothing."),
        Ended::Failed(reason) | Ended::Broken(reason) | Ended::Cut(reason) => reason,
        Ended::NotRun(outcome) => outcome.reason().clone(),
    }
}

fn withdrawn() -> Reason {
    Reason::new("credential-revoked", "A credential of this destination was withdrawn while the call was under way.")
}

fn host_fault() -> Reason {
    Reason::new("host-fault", "The host failed while it ran the connector.")
}
