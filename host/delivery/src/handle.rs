//! The handle on a running delivery engine: what the API and the pages may ask of it.

use crate::catalog::Catalog;
use crate::connectors::{CheckStep, Connectors};
use crate::draft::{Draft, Overloaded, Published, Refusal};
use crate::keyring::Keyring;
use crate::options::Options;
use crate::readiness::NotReady;
use crate::running::Shared;
use railhead_model::{Attempt, Clock, DeliveryKey, DestinationNo, EnvironmentNo, EventUid, Reason, TenantNo};
use railhead_store::directory::{Destination, Tenant};
use railhead_store::work::{Commanded, Health};
use railhead_store::{Store, StoreError};
use railhead_vault::Vault;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What the engine is made of.
pub struct Parts {
    /// The database.
    pub store: Arc<dyn Store>,
    /// Seals and opens.
    pub vault: Arc<Vault>,
    /// Runs connectors.
    pub connectors: Arc<dyn Connectors>,
    /// Which connectors there are.
    pub catalog: Arc<Catalog>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Bounds and periods.
    pub options: Options,
}

/// Asks a running engine. Cheap to clone.
#[derive(Clone)]
pub struct Delivery {
    pub(crate) shared: Arc<Shared>,
}

/// Why a test event got nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TestError {
    /// The host cannot accept now.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// The event itself was refused.
    #[error("{0}")]
    Refused(Refusal),
}

/// What a retry did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    /// It was waiting, and is due now.
    DueNow,
    /// It had ended: this new delivery of the same event was made.
    Again(DeliveryKey),
}

impl Delivery {
    /// Accepts events of one environment; answers in the order of `drafts`, after the commit. A caller that leaves
    /// cancels nothing. Each event has its own answer within half a minute, whatever becomes of others and of the store.
    ///
    /// # Errors
    /// [`Overloaded`]: none of them is acknowledged, as when all of them would be [`Published::Unavailable`].
    pub async fn publish(&self, environment: EnvironmentNo, drafts: Vec<Draft>) -> Result<Vec<Published>, Overloaded> {
        crate::ingest::publish(&self.shared, environment, drafts).await
    }

    /// Sends one event to this destination alone, for real, and waits for its first attempt's record, at most the
    /// destination's timeout and a little. `None`: no attempt came in that time (paused, failing, busy); it goes on.
    ///
    /// # Errors
    /// [`TestError`]: nothing was sent.
    pub async fn test(
        &self,
        tenant: &Tenant,
        destination: &Destination,
        draft: Draft,
    ) -> Result<(DeliveryKey, Option<Attempt>), TestError> {
        crate::ingest::test(&self.shared, tenant, destination, draft).await
    }

    /// The connector's check of a destination (stored, or about to be): sends no event.
    ///
    /// # Errors
    /// Why the connector could not run at all.
    pub async fn check(&self, tenant: &Tenant, destination: &Destination) -> Result<Vec<CheckStep>, Reason> {
        self.shared.check(tenant, destination).await
    }

    /// Makes a waiting delivery due now, or delivers an ended one again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such delivery.
    pub async fn retry(&self, key: DeliveryKey) -> Result<Retried, StoreError> {
        self.shared.retry(key).await
    }

    /// Ends a waiting delivery as cancelled.
    ///
    /// # Errors
    /// Of the store.
    pub async fn cancel(&self, key: DeliveryKey) -> Result<Commanded, StoreError> {
        self.shared.cancel(key).await
    }

    /// Call it after every committed change to a tenant, its destinations or their credentials: routing sees it at
    /// once, sessions of these destinations end, and their work goes on under the new settings. Deleted ones count.
    pub fn config_changed(&self, tenant: TenantNo, destinations: &[DestinationNo]) {
        self.shared.config_changed(tenant, destinations);
    }

    /// Call it when a person acted on a destination's work, or says that it is repaired: a failing one is tried at once
    /// instead of at its next probe. Cheap: nothing else is read again, and no session ends.
    pub fn probe(&self, destination: DestinationNo) {
        self.shared.probe(destination);
    }

    /// Call it after an API key was revoked or replaced: every host forgets the keys that it remembers.
    pub fn keys_changed(&self) {
        self.shared.keys_changed();
    }

    /// Moves when any host said that API keys changed, or may have while nothing was heard: a key that was read before is
    /// not to be trusted any more.
    #[must_use]
    pub fn keys_heard(&self) -> u64 {
        self.shared.keys.load(Ordering::Acquire)
    }

    /// Call it after an event's payload was erased in the store: all hosts let go of their copies in memory. A hand-over
    /// that has the payload already may finish.
    pub fn erased(&self, event: EventUid) {
        self.shared.erased(event);
    }

    /// Call it after a replay was started or cancelled.
    pub fn jobs_changed(&self) {
        self.shared.jobs_changed();
    }

    /// Tenants' keys.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.shared.keyring
    }

    /// The connectors of this host.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.shared.catalog
    }

    /// Whether it accepts and delivers: after the first load, before a shutdown, with a lease that was renewed lately.
    ///
    /// # Errors
    /// Why not.
    pub fn readiness(&self) -> Result<(), NotReady> {
        self.shared.readiness()
    }

    /// True while it accepts and delivers.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.readiness().is_ok()
    }

    /// Waits until everything owned was loaded for the first time.
    pub async fn ready(&self) {
        self.shared.loaded().await;
    }

    /// A destination's breaker as this host runs it; `None` where another host owns it (its stored health counts).
    #[must_use]
    pub fn health(&self, destination: DestinationNo) -> Option<Health> {
        self.shared.fleet.health(destination)
    }
}
