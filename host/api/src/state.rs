//! What all operations share.

use crate::body::Room;
use crate::connectors::Connectors;
use crate::kept::Kept;
use crate::keys::{KeyCache, SettingsKey};
use crate::problem::Problem;
use railhead_delivery::{Catalog, Delivery};
use railhead_model::manifest::CredentialField;
use railhead_model::{Clock, EnvironmentNo, Timestamp};
use railhead_store::directory::Environment;
use railhead_store::{Store, StoreError};
use railhead_vault::{Random, TenantKeys, Vault, VaultError};
use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

/// Says whether a destination's URL may be sent to: `Err` holds why not, for the customer.
pub type UrlCheck = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// Says whether a credential's value is one of its field's kind: `Err` holds why not, without the value.
pub type CredentialCheck = Arc<dyn Fn(&CredentialField, &str) -> Result<(), String> + Send + Sync>;

/// What the composition root decides.
#[derive(Clone)]
pub struct Options {
    /// Keys that come from settings and are in no store: the administrator's, a container's.
    pub keys: Vec<SettingsKey>,
    /// The egress policy's word on literal addresses and schemes; asked when a destination is written.
    pub url_check: UrlCheck,
    /// Parses a credential as the sandbox will; asked when one is written, so that a wrong one never waits for its first
    /// event to fail.
    pub credential_check: CredentialCheck,
    /// Fields of the operator that the settings have a value for: connector and field. The values are not here.
    pub operators: BTreeSet<(String, String)>,
    /// Most bytes of one event's payload.
    pub max_payload: usize,
    /// Most bytes of bodies in memory at once, over all requests: twice what may wait for its commit, because a body is kept
    /// until its request is answered.
    pub max_bodies: usize,
    /// A body that does not arrive within this time is given up, in milliseconds.
    pub body_timeout_ms: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            url_check: Arc::new(|_| Ok(())),
            credential_check: Arc::new(|_, _| Ok(())),
            operators: BTreeSet::new(),
            max_payload: MAX_PAYLOAD,
            max_bodies: 128 << 20,
            body_timeout_ms: 10_000,
        }
    }
}

impl Options {
    /// True if the operator gave a value for this field.
    #[must_use]
    pub fn has_operators(&self, connector: &str, field: &str) -> bool {
        self.operators.contains(&(connector.to_owned(), field.to_owned()))
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("max_payload", &self.max_payload).finish_non_exhaustive()
    }
}

/// Default of [`Options::max_payload`]: 1 MiB.
pub const MAX_PAYLOAD: usize = 1024 * 1024;

/// Why the API could not start.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StartError {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The host's own key does not open under the configured master key.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// Shared by all requests; cheap to clone.
#[derive(Clone)]
pub struct ApiState(Arc<Inner>);

/// See [`ApiState`].
pub struct Inner {
    /// Configuration and history.
    pub store: Arc<dyn Store>,
    /// Makes and opens tenants' keys.
    pub vault: Arc<Vault>,
    /// The engine.
    pub delivery: Delivery,
    /// Manifests, with compiled schemas.
    pub connectors: Connectors,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Secret randomness.
    pub random: Arc<dyn Random>,
    /// Settings.
    pub options: Options,
    /// Seals cursors and stored answers.
    pub host_keys: TenantKeys,
    /// API keys seen lately.
    pub keys: KeyCache,
    /// Room for the bodies of requests.
    pub bodies: Room,
    /// `Idempotency-Key`s whose first request still runs here.
    pub in_progress: Mutex<HashSet<[u8; 32]>>,
    /// Overviews that were just made.
    pub overviews: Kept,
    environments: Mutex<Option<(u64, Vec<Arc<Environment>>)>>,
}

impl fmt::Debug for ApiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiState")
    }
}

impl Deref for ApiState {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// How long settings of environments are kept: another host's change is seen after this.
const ENVIRONMENTS_MS: u64 = 1_000;

impl ApiState {
    /// Reads (or makes) the host's own key, and compiles the connectors' schemas.
    ///
    /// # Errors
    /// The store does not answer, or was made under another master key.
    pub async fn new(
        store: Arc<dyn Store>,
        vault: Arc<Vault>,
        delivery: Delivery,
        catalog: &Catalog,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        options: Options,
    ) -> Result<Self, StartError> {
        let wrapped = match store.meta("api-host-key").await? {
            Some(wrapped) => wrapped,
            None => store.put_meta("api-host-key", &vault.new_host_key()).await?,
        };
        let host_keys = vault.open_host(&wrapped)?;
        Ok(Self(Arc::new(Inner {
            connectors: Connectors::compile(catalog),
            bodies: Room::new(options.max_bodies),
            store,
            vault,
            delivery,
            clock,
            random,
            options,
            host_keys,
            keys: KeyCache::default(),
            in_progress: Mutex::default(),
            overviews: Kept::default(),
            environments: Mutex::default(),
        })))
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Secret random bytes.
    #[must_use]
    pub fn random_bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes);
        bytes
    }

    /// All environments, as of a second ago at most.
    ///
    /// # Errors
    /// The store's.
    pub async fn environments(&self) -> Result<Vec<Arc<Environment>>, Problem> {
        let now = self.clock.monotonic_ms();
        if let Some((at, known)) = self.lock_environments().as_ref()
            && now.saturating_sub(*at) < ENVIRONMENTS_MS
        {
            return Ok(known.clone());
        }
        let read: Vec<_> = self.store.environments().await?.into_iter().map(Arc::new).collect();
        *self.lock_environments() = Some((now, read.clone()));
        Ok(read)
    }

    /// The environment of this number.
    ///
    /// # Errors
    /// The store's; 404 if it is gone.
    pub async fn environment(&self, no: EnvironmentNo) -> Result<Arc<Environment>, Problem> {
        let found = self.environments().await?.into_iter().find(|environment| environment.no == no);
        found.ok_or_else(|| Problem::not_found("environment"))
    }

    /// The environment of this name.
    ///
    /// # Errors
    /// The store's.
    pub async fn environment_named(&self, name: &str) -> Result<Option<Arc<Environment>>, Problem> {
        Ok(self.environments().await?.into_iter().find(|environment| environment.name == name))
    }

    /// Reads environments anew at the next request.
    pub fn forget_environments(&self) {
        *self.lock_environments() = None;
    }

    fn lock_environments(&self) -> std::sync::MutexGuard<'_, Option<(u64, Vec<Arc<Environment>>)>> {
        self.environments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
