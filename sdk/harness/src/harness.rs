//! A sandbox for plugins under test.

use crate::clock::TestClock;
use crate::destination::Destination;
use railhead_model::Clock;
use railhead_sandbox::egress::{Egress, EgressError, EgressPolicy};
use railhead_sandbox::{Connector, LoadError, Sandbox, SandboxConfig, SandboxError};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Numbers of destinations, and of their tenants: a tenant has a share of the sessions, and tests run side by side.
static NEXT: AtomicI64 = AtomicI64::new(1);

/// Tests run side by side on a busy machine, often without optimisation.
const CPU_MS: u32 = 10_000;

/// How often it is looked whether all sessions are gone.
const LOOK: Duration = Duration::from_millis(20);

/// A sandbox that may reach the loopback.
#[derive(Clone, Debug)]
pub struct Harness {
    sandbox: Arc<Sandbox>,
    clock: Arc<TestClock>,
}

/// What a harness may be told beside the usual.
#[derive(Clone, Debug)]
pub struct Options {
    /// Certificates in PEM that connections trust besides the machine's own: see [`crate::Authority::pem`].
    pub roots: Option<String>,
    /// Where connections may go.
    pub policy: EgressPolicy,
    /// CPU time, sessions and the like.
    pub sandbox: SandboxConfig,
}

impl Default for Options {
    fn default() -> Self {
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let policy = EgressPolicy { allow: loopback.map(Into::into).to_vec(), ..EgressPolicy::default() };
        let sandbox = SandboxConfig { max_instances: 64, cpu_budget_ms: CPU_MS, ..SandboxConfig::default() };
        Self { roots: None, policy, sandbox }
    }
}

/// Why there is no harness.
#[derive(Debug, thiserror::Error)]
pub enum HarnessError {
    /// TLS, or the roots.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// The engine or its threads.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}

impl Harness {
    /// With the usual options.
    ///
    /// # Errors
    /// If the system does not give what a sandbox needs.
    pub fn new() -> Result<Self, HarnessError> {
        Self::with(Options::default())
    }

    /// With these options.
    ///
    /// # Errors
    /// As [`Harness::new`], and for roots that are no certificates.
    pub fn with(options: Options) -> Result<Self, HarnessError> {
        let egress = Arc::new(Egress::new(options.policy, options.roots.as_deref().map(str::as_bytes))?);
        let clock = Arc::new(TestClock::default());
        let sandbox = Sandbox::new(options.sandbox, egress, clock.clone() as Arc<dyn Clock>)?;
        Ok(Self { sandbox, clock })
    }

    /// Checks and compiles a component, once: all destinations of a test may share it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn load(&self, component: &[u8]) -> Result<Arc<Connector>, LoadError> {
        self.sandbox.load(component).await
    }

    /// A new destination of a tenant of its own.
    #[must_use]
    pub fn destination(&self, connector: &Arc<Connector>, config: Value) -> Destination {
        Destination::new(self.clone(), connector, NEXT.fetch_add(1, Ordering::Relaxed), config)
    }

    /// What plugins and signers go by.
    #[must_use]
    pub fn clock(&self) -> &TestClock {
        &self.clock
    }

    /// The sandbox itself.
    #[must_use]
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Waits until there is no session any more. They go when their destination is retired, and after 30 s without a call.
    pub async fn all_gone(&self) {
        while self.sandbox.live() > 0 {
            tokio::time::sleep(LOOK).await;
        }
    }
}
