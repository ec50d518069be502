//! Starts on record: what might have killed its host is not tried for ever.

use crate::connect::PostgresStore;
use crate::error::committing;
use crate::rows::{get, int};
use railhead_model::{DeliveryKey, HostId};
use railhead_store::StoreError;
use railhead_store::record::{POISON_STARTS, Started};
use std::collections::BTreeMap;

/// A host counts once for an attempt; a recorded attempt has raised `tries`, and the count begins anew.
const START: &str = "
WITH f AS MATERIALIZED (SELECT 1 FROM host WHERE id = $1 AND NOT fenced FOR SHARE),
r AS MATERIALIZED (
    SELECT u.* FROM f CROSS JOIN unnest($2::int[], $3::uuid[], $4::bigint[], $5::int[]) AS u(ord, event, destination, run)
    ORDER BY u.event, u.destination, u.run),
k AS MATERIALIZED (
    SELECT r.ord, w.place, CASE WHEN w.starts_tries = w.tries THEN w.starts ELSE 0 END AS count,
        w.starts_tries = w.tries AND w.starts > 0 AND w.starts_by = $1 AS again
    FROM r CROSS JOIN LATERAL (
        SELECT w.ctid AS place, w.tries, w.starts, w.starts_tries, w.starts_by FROM work w
        WHERE w.event = r.event AND w.destination = r.destination AND w.run = r.run
        FOR UPDATE
    ) w),
counted AS (
    UPDATE work w SET starts = k.count + 1, starts_tries = w.tries, starts_by = $1
    FROM k WHERE w.ctid = k.place AND k.count < $6 AND k.again IS NOT TRUE)
SELECT k.ord, k.count >= $6 AND k.again IS NOT TRUE AS poisoned FROM k
UNION ALL SELECT -1, false FROM f";

/// See [`railhead_store::Record::start`].
pub async fn start(
    store: &PostgresStore,
    host: HostId,
    deliveries: &[DeliveryKey],
) -> Result<Vec<Started>, StoreError> {
    let rows = sqlx::query(START)
        .bind(host.0)
        .bind((0..).take(deliveries.len()).collect::<Vec<i32>>())
        .bind(deliveries.iter().map(|key| key.event.0).collect::<Vec<_>>())
        .bind(deliveries.iter().map(|key| key.destination.0).collect::<Vec<_>>())
        .bind(deliveries.iter().map(|key| int(key.run)).collect::<Vec<_>>())
        .bind(i16::try_from(POISON_STARTS).unwrap_or(i16::MAX))
        .fetch_all(&mut *store.engine().await?)
        .await
        .map_err(committing)?;
    let mut found = BTreeMap::new();
    for row in &rows {
        found.insert(get::<i32>(row, "ord")?, get::<bool>(row, "poisoned")?);
    }
    if found.remove(&-1).is_none() {
        return Err(StoreError::Fenced);
    }
    let answer = |ord| match found.get(&ord) {
        Some(true) => Started::Poisoned,
        Some(false) => Started::Go,
        None => Started::Gone,
    };
    Ok((0..).take(deliveries.len()).map(answer).collect())
}
