//! A test: one event for one destination, and what its first attempt came to.

use super::rounds::{Open, Sending};
use crate::draft::{Draft, Overloaded, Published};
use crate::handle::TestError;
use crate::record::Waiter;
use crate::running::Shared;
use railhead_model::{Attempt, DeliveryKey};
use railhead_store::directory::{Destination, Tenant};
use std::sync::Arc;
use std::time::Duration;

/// Between looks into the store while a test waits: another host may own the destination.
const POLL: Duration = Duration::from_millis(500);
/// What a test waits beyond the destination's own timeout: for its turn, and for the record.
const GRACE_MS: u64 = 3_000;

/// See [`crate::Delivery::test`].
#[tracing::instrument(level = "debug", skip_all, fields(destination = %destination.id))]
pub(crate) async fn test(
    shared: &Arc<Shared>,
    tenant: &Tenant,
    destination: &Destination,
    draft: Draft,
) -> Result<(DeliveryKey, Option<Attempt>), TestError> {
    shared.admit()?;
    // Whatever the event says: the destination is this tenant's.
    let draft = Draft { tenant: tenant.id.clone(), ..draft };
    let key = DeliveryKey { event: shared.mint(), destination: destination.no, run: 0 };
    let waiter = shared.waiters.wait_for(key);
    let sending = Sending { shared, environment: tenant.environment, only: Some(destination) };
    let answer = sending.send(vec![Open::new(0, key.event, &draft)]).await?.pop();
    match answer {
        Some(Published::Accepted { .. }) => {
            let wait = Duration::from_millis(u64::from(destination.spec.timeout_ms) + GRACE_MS);
            let first = tokio::time::timeout(wait, first_attempt(shared, tenant, key, waiter)).await;
            Ok((key, first.ok()))
        }
        Some(Published::Duplicate { uid, .. }) => Ok((DeliveryKey { event: uid, ..key }, None)),
        Some(Published::Refused(refusal)) => Err(TestError::Refused(refusal)),
        Some(Published::OverShare { retry_after_s }) => Err(Overloaded::OverShare { retry_after_s }.into()),
        Some(Published::Unavailable(why)) => Err(Overloaded::Unavailable(why).into()),
        None => Err(Overloaded::Unavailable("the event had no answer".into()).into()),
    }
}

async fn first_attempt(shared: &Shared, tenant: &Tenant, key: DeliveryKey, mut waiter: Waiter<'_>) -> Attempt {
    loop {
        if let Ok(attempt) = tokio::time::timeout(POLL, waiter.attempt()).await {
            return attempt;
        }
        match shared.store.attempts(tenant.no, key).await {
            Ok(mut attempts) if !attempts.is_empty() => return attempts.swap_remove(0).attempt,
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "a test's attempts cannot be read now"),
        }
    }
}
