//! What a person asks for: a check of a destination, a retry, a cancellation.

use crate::connectors::{CheckStep, HandOver};
use crate::handle::Retried;
use crate::running::Shared;
use railhead_model::{DeliveryKey, Origin, Reason};
use railhead_store::StoreError;
use railhead_store::directory::{Destination, Tenant};
use railhead_store::work::{Command, Commanded};
use std::sync::Arc;

impl Shared {
    pub async fn check(&self, tenant: &Tenant, destination: &Destination) -> Result<Vec<CheckStep>, Reason> {
        let hand_over = HandOver {
            destination: Arc::new(destination.clone()),
            tenant: Arc::new(tenant.clone()),
            batch_id: format!("check-{}", self.mint()),
            batched: crate::fleet::takes_batches(destination, &self.catalog),
            events: Vec::new(),
            deadline_ms: destination.spec.timeout_ms,
        };
        self.connectors.check(hand_over).await
    }

    pub async fn retry(&self, key: DeliveryKey) -> Result<Retried, StoreError> {
        let now = self.clock.now();
        let retried = match self.store.command(key, Command::RetryNow, now).await? {
            Commanded::Done => Retried::DueNow,
            Commanded::NotWaiting => Retried::Again(self.store.redeliver(key, Origin::Retry, now).await?),
        };
        self.hint(vec![key.destination]);
        Ok(retried)
    }

    pub async fn cancel(&self, key: DeliveryKey) -> Result<Commanded, StoreError> {
        let done = self.store.command(key, Command::Cancel, self.clock.now()).await?;
        self.hint(vec![key.destination]);
        Ok(done)
    }
}
