//! Starts on record: what might have killed its host is not tried for ever.

use crate::connect::PostgresStore;
use crate::error::committing;
use crate::rows::{get, int};
use railhead_model::{DeliveryKey, HostId};
use railhead_store::StoreError;
use railhead_store::record::{POISON_STARTS, Started};
use std::collections::BTreeMap;

/// A host counts once for an attempt; a recorded attempt has raised `tries`, and the count begins anew. A row that changed
/// since the statement began has a place that it cannot see: nothing is counted there, and it is not answered for.
/// All are looked at (sorted) before the first is counted: one that is asked for twice has two answers.
const START: &str = "
WITH f AS MATERIALIZED (SELECT 1 FROM host WHERE id = $1 AND NOT fenced FOR SHARE),
r AS MATERIALIZED (
    SELECT u.* FROM f CROSS JOIN unnest($2::int[], $3::uuid[], $4::bigint[], $5::int[]) AS u(ord, event, destination, run)
    ORDER BY u.event, u.destination, u.run),
k AS MATERIALIZED (
    SELECT r.ord, w.place, CASE WHEN w.starts_tries = w.tries THEN w.starts ELSE 0 END AS count,
        coalesce(w.starts_tries = w.tries AND w.starts > 0 AND w.starts_by = $1, false) AS own
    FROM r CROSS JOIN LATERAL (
        SELECT w.ctid AS place, w.tries, w.starts, w.starts_tries, w.starts_by FROM work w
        WHERE w.event = r.event AND w.destination = r.destination AND w.run = r.run
        FOR UPDATE
    ) w),
a AS MATERIALIZED (
    SELECT k.*, CASE WHEN NOT k.own AND k.count >= $6 THEN 2 WHEN k.count > k.own::int AND NOT $7 THEN 1 ELSE 0 END AS answer
    FROM k ORDER BY k.ord),
counted AS (
    UPDATE work w SET starts = a.count + 1, starts_tries = w.tries, starts_by = $1
    FROM a WHERE w.ctid = a.place AND a.answer = 0 AND NOT a.own
    RETURNING a.place)
SELECT a.ord, a.answer FROM a WHERE a.answer > 0 OR a.own OR EXISTS (SELECT FROM counted c WHERE c.place = a.place)
UNION ALL SELECT -1, -1 FROM f";

const UNSTART: &str = "
WITH f AS MATERIALIZED (SELECT 1 FROM host WHERE id = $1 AND NOT fenced FOR SHARE),
r AS MATERIALIZED (
    SELECT u.* FROM f CROSS JOIN unnest($2::uuid[], $3::bigint[], $4::int[]) AS u(event, destination, run)
    ORDER BY u.event, u.destination, u.run),
k AS MATERIALIZED (
    SELECT w.place FROM r CROSS JOIN LATERAL (
        SELECT w.ctid AS place FROM work w
        WHERE w.event = r.event AND w.destination = r.destination AND w.run = r.run
            AND w.starts_by = $1 AND w.starts_tries = w.tries AND w.starts > 0
        FOR UPDATE
    ) w),
back AS (UPDATE work w SET starts = w.starts - 1, starts_by = NULL FROM k WHERE w.ctid = k.place)
SELECT 1 FROM f";

/// See [`railhead_store::Record::start`].
pub async fn start(
    store: &PostgresStore,
    host: HostId,
    deliveries: &[DeliveryKey],
    alone: bool,
) -> Result<Vec<Started>, StoreError> {
    let Keys { events, destinations, runs } = Keys::new(deliveries);
    let rows = sqlx::query(START)
        .bind(host.0)
        .bind((0..).take(deliveries.len()).collect::<Vec<i32>>())
        .bind(events)
        .bind(destinations)
        .bind(runs)
        .bind(i16::try_from(POISON_STARTS).unwrap_or(i16::MAX))
        .bind(alone)
        .fetch_all(&mut *store.engine().await?)
        .await
        .map_err(committing)?;
    let mut found = BTreeMap::new();
    for row in &rows {
        found.insert(get::<i32>(row, "ord")?, get::<i32>(row, "answer")?);
    }
    if found.remove(&-1).is_none() {
        return Err(StoreError::Fenced);
    }
    let answer = |ord| match found.get(&ord) {
        Some(0) => Started::Go,
        Some(1) => Started::Alone,
        Some(_) => Started::Poisoned,
        None => Started::Gone,
    };
    Ok((0..).take(deliveries.len()).map(answer).collect())
}

/// See [`railhead_store::Record::unstart`].
pub async fn unstart(store: &PostgresStore, host: HostId, deliveries: &[DeliveryKey]) -> Result<(), StoreError> {
    let Keys { events, destinations, runs } = Keys::new(deliveries);
    let query = sqlx::query(UNSTART).bind(host.0).bind(events).bind(destinations).bind(runs);
    match query.fetch_optional(&mut *store.engine().await?).await.map_err(committing)? {
        Some(_) => Ok(()),
        None => Err(StoreError::Fenced),
    }
}

/// Deliveries in columns.
struct Keys {
    events: Vec<uuid::Uuid>,
    destinations: Vec<i64>,
    runs: Vec<i32>,
}

impl Keys {
    fn new(deliveries: &[DeliveryKey]) -> Self {
        Self {
            events: deliveries.iter().map(|key| key.event.0).collect(),
            destinations: deliveries.iter().map(|key| key.destination.0).collect(),
            runs: deliveries.iter().map(|key| int(key.run)).collect(),
        }
    }
}
