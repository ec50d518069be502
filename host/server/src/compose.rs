//! The composition root: open it and see the whole program.

use crate::bootstrap::{Shown, bootstrap};
use crate::config::Config;
use crate::connectors::SandboxedConnectors;
use crate::gate::Gate;
use crate::master_key;
use crate::serve::{Listeners, Serving};
use crate::stores;
use railhead_api::{ApiState, SettingsKey};
use railhead_delivery::{Catalog, Running};
use railhead_model::{Clock, SystemClock};
use railhead_portal::Portal;
use railhead_sandbox::egress::{Egress, EgressPolicy};
use railhead_sandbox::secret::Secret;
use railhead_sandbox::{Compiler, Connector, Sandbox, SandboxConfig};
use railhead_store::Store;
use railhead_vault::{Sealer, SystemRandom, Vault};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// Why the host did not start: the message says what to change.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

impl StartError {
    /// Says what was being done when it went wrong.
    pub fn at(what: &str, error: impl std::fmt::Display) -> Self {
        Self(format!("{what}: {error}"))
    }
}

/// A running host.
pub struct App {
    clock: Arc<dyn Clock>,
    running: Running,
    serving: Serving,
    opened: stores::Opened,
    first_keys: Vec<Shown>,
}

impl App {
    /// Starts everything, from the store up to the listeners. `migrate`: bring the schema up to date first; the embedded
    /// store always does.
    ///
    /// # Errors
    /// [`StartError`]; what was started is stopped again.
    pub async fn start(config: &Config, migrate: bool) -> Result<Self, StartError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let keys = master_key::load(config).map_err(|error| StartError(error.to_string()))?;
        // From here on whoever asks hears that the host lives and is not ready.
        let gate = Gate::default();
        let serving = Listeners::bind(config).await?.serve(gate.clone());
        // The embedded store does it when it is opened.
        if migrate && !config.is_embedded() {
            gate.migrating(true);
            stores::migrate(config).await?;
            gate.migrating(false);
        }
        let opened = stores::open(config).await?;
        let store = Arc::clone(&opened.store);
        let vault =
            master_key::open_vault(keys, store.as_ref()).await.map_err(|error| StartError(error.to_string()))?;
        let policy = egress_policy(config, &serving);
        let url_check = crate::url_check::url_check(policy.clone());
        let sandbox = sandbox(config, policy, &vault, &clock)?;
        let loaded = load_connectors(&sandbox).await?;
        let catalog = Arc::new(Catalog::new(loaded.values().map(|connector| connector.manifest.clone())));
        config
            .operators
            .check(|name| loaded.get(name).map(|connector| &connector.manifest))
            .map_err(|why| StartError::at("settings", why))?;
        let connectors = SandboxedConnectors::new(sandbox, loaded, Arc::clone(&vault), Arc::clone(&clock))
            .with_operators(config.operators.clone());
        let first_keys =
            bootstrap(store.as_ref(), clock.as_ref(), config.admin_key.is_none() && config.api_key.is_none())
                .await
                .map_err(|error| StartError::at("the first keys cannot be stored", error))?;
        let parts = railhead_delivery::Parts {
            store: Arc::clone(&store),
            vault: Arc::clone(&vault),
            connectors: Arc::new(connectors),
            catalog: Arc::clone(&catalog),
            clock: Arc::clone(&clock),
            options: railhead_delivery::Options {
                retention_ms: i64::from(config.retention_days) * railhead_model::time::DAY_MS,
                ..Default::default()
            },
        };
        let running =
            railhead_delivery::start(parts).await.map_err(|error| StartError::at("delivery cannot start", error))?;
        let sealer = vault.sealer(railhead_portal::SESSION_PURPOSE);
        let api = api_state(config, store, vault, &running, &catalog, &clock, url_check).await?;
        gate.open(routes(config, api, sealer, &clock));
        Ok(Self { clock, running, serving, opened, first_keys })
    }

    /// Where the API listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.serving.address
    }

    /// Where the metrics are.
    #[must_use]
    pub const fn metrics_address(&self) -> SocketAddr {
        self.serving.metrics_address
    }

    /// The host's clock.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Keys that this start made: shown once.
    #[must_use]
    pub fn first_keys(&self) -> &[Shown] {
        &self.first_keys
    }

    /// Waits until the host cannot go on by itself (another host took its work over).
    pub async fn fenced(&self) {
        self.running.fenced().await;
    }

    /// Not ready, finish accepts, stop starting, wait for what runs, record, release; then the listeners close, and the
    /// store.
    pub async fn shutdown(mut self) {
        // The API goes on answering meanwhile: `/readyz` and publishes with 503, so that a load balancer learns of it.
        self.running.shutdown().await;
        self.serving.stop_accepting().await;
        self.serving.end();
        self.opened.close().await;
    }
}

fn egress_policy(config: &Config, serving: &Serving) -> EgressPolicy {
    let mut refuse = vec![serving.address, serving.metrics_address];
    refuse.extend(stores::addresses(config));
    EgressPolicy {
        allow: config.egress_allow.clone(),
        refuse,
        plaintext: config.egress_plaintext,
        proxy: config.egress_proxy.clone(),
    }
}

fn sandbox(
    config: &Config,
    policy: EgressPolicy,
    vault: &Vault,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<Sandbox>, StartError> {
    let roots = config.egress_ca_file.as_ref().map(std::fs::read).transpose();
    let roots = roots.map_err(|error| StartError::at("setting RAILHEAD_EGRESS_CA_FILE", error))?;
    let egress = Egress::new(policy, roots.as_deref()).map_err(|error| StartError::at("egress", error))?;
    let own = std::env::current_exe().map_err(|error| StartError::at("the host's own binary", error))?;
    let settings = SandboxConfig {
        cache_dir: Some(config.data.join("cache")),
        cache_key: vault.derive("compiled component cache"),
        compiler: Compiler::Child(own),
        threads: guest_threads(),
        ..SandboxConfig::default()
    };
    Sandbox::new(settings, Arc::new(egress), Arc::clone(clock)).map_err(|error| StartError::at("the sandbox", error))
}

/// Guests get half of the cores, the rest of the host the other half: more threads than cores only switch. Measured on
/// two cores with ten destinations: a tenth less CPU a delivery, and twice the accepted events a second.
fn guest_threads() -> usize {
    (std::thread::available_parallelism().map_or(1, usize::from) / 2).max(1)
}

/// The threads of everything but guests.
#[must_use]
pub fn host_threads() -> usize {
    (std::thread::available_parallelism().map_or(1, usize::from) - guest_threads()).max(1)
}

async fn load_connectors(sandbox: &Sandbox) -> Result<BTreeMap<String, Arc<Connector>>, StartError> {
    let mut loaded = BTreeMap::new();
    for plugin in railhead_plugins::ALL {
        let connector = sandbox.load(plugin.component).await;
        let connector = connector.map_err(|error| StartError::at(&format!("connector {}", plugin.name), error))?;
        loaded.insert(connector.manifest.name.clone(), connector);
    }
    Ok(loaded)
}

/// The sandbox's own reading of a credential: what it would refuse at the first event is refused when it is written.
fn check_credential(
    field: &railhead_model::manifest::CredentialField,
    text: &str,
    now: railhead_model::Timestamp,
) -> Result<(), String> {
    Secret::parse(&field.name, field.kind, field.usage, &field.origins, text.as_bytes())
        .and_then(|secret| secret.check_at(now))
        .map_err(|error| error.message)
}

/// The API, and the pages that ask it inside the process.
fn routes(config: &Config, api: ApiState, sealer: Sealer, clock: &Arc<dyn Clock>) -> axum::Router {
    let api = railhead_api::router(api);
    let https_only = !config.listen.ip().is_loopback();
    let portal = Portal::new(api.clone(), sealer, Arc::clone(clock), Arc::new(SystemRandom), https_only);
    api.merge(railhead_portal::router(portal))
}

async fn api_state(
    config: &Config,
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    running: &Running,
    catalog: &Catalog,
    clock: &Arc<dyn Clock>,
    url_check: railhead_api::state::UrlCheck,
) -> Result<ApiState, StartError> {
    let admin = config.admin_key.iter().map(|secret| SettingsKey {
        hash: railhead_api::keys::hash(secret),
        environment: None,
        scopes: vec!["admin".to_owned()],
    });
    let live = config.api_key.iter().map(|secret| SettingsKey {
        hash: railhead_api::keys::hash(secret),
        environment: Some("live".to_owned()),
        scopes: vec!["*".to_owned()],
    });
    let options = railhead_api::Options {
        keys: admin.chain(live).collect(),
        url_check,
        operators: config.operators.fields().collect(),
        credential_check: {
            let clock = Arc::clone(clock);
            Arc::new(move |field, text| check_credential(field, text, clock.now()))
        },
        ..Default::default()
    };
    let (delivery, clock) = (running.delivery.clone(), Arc::clone(clock));
    ApiState::new(store, vault, delivery, catalog, clock, Arc::new(SystemRandom), options)
        .await
        .map_err(|error| StartError::at("the API cannot start", error))
}
