//! A new run of an ended delivery: one at a time for a person, many for a replay.

use super::parts;
use crate::connect::{PostgresStore, commit};
use crate::error::undone;
use crate::rows::{count, get, json};
use railhead_model::{
    DeliveryKey, DestinationNo, DestinationSpec, EventUid, JobId, Ordering, Origin, TenantNo, Timestamp,
};
use railhead_store::StoreError;
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use uuid::Uuid;

/// How often a person's new run is tried while others of its tenant are being made, and the pause between, in
/// milliseconds. No connection is held meanwhile.
const TRIES: u32 = 20;
const PAUSE_MS: u64 = 100;

/// First key of the advisory locks of [`lock_runs`]; the second is the tenant.
const RUNS: i32 = 0x7261_696c;

/// The ended deliveries among those asked for whose event is there.
const FIND: &str = "
SELECT d.event, d.destination, d.run, d.tenant, d.lane, e.payload_bytes
FROM unnest($1::uuid[], $2::bigint[], $3::int[]) WITH ORDINALITY AS u(event, destination, run, ord)
CROSS JOIN LATERAL (
    SELECT * FROM delivery d WHERE d.event = u.event AND d.destination = u.destination AND d.run = u.run LIMIT 1
) d
CROSS JOIN LATERAL (
    SELECT e.payload_bytes FROM event e WHERE e.uid >= u.event AND e.uid <= u.event ORDER BY e.uid LIMIT 1
) e
ORDER BY u.ord";

/// As text: the server's own operators refuse some of what its column takes, and a customer writes parts of it.
const SPECS: &str = "SELECT no, spec::text AS spec FROM destination WHERE no = ANY($1::bigint[])";

/// Each at the run after the last one of its pair, waiting or ended.
const MAKE: &str = "
INSERT INTO work (event, destination, run, tenant, due, lane, seq, origin, previous, job, made_at, bytes)
SELECT u.event, u.destination, last.run + 1, $4, $5, u.lane, u.seq, $6, u.run, $7, $5, u.bytes
FROM unnest($1::uuid[], $2::bigint[], $3::int[], $8::uuid[], $9::bigint[], $10::int[])
    AS u(event, destination, run, lane, seq, bytes)
CROSS JOIN LATERAL (
    SELECT GREATEST(
        (SELECT max(w.run) FROM work w WHERE w.event = u.event AND w.destination = u.destination),
        (SELECT max(d.run) FROM delivery d WHERE d.event = u.event AND d.destination = u.destination)) AS run
) last
RETURNING event, destination, run";

const NEXT_SEQ: &str = "
INSERT INTO ordered (destination, seq)
SELECT u.destination, u.n FROM unnest($1::bigint[], $2::bigint[]) AS u(destination, n)
ON CONFLICT (destination) DO UPDATE SET seq = ordered.seq + EXCLUDED.seq
RETURNING destination, seq";

pub async fn redeliver(
    store: &PostgresStore,
    key: DeliveryKey,
    origin: Origin,
    now: Timestamp,
) -> Result<DeliveryKey, StoreError> {
    for _ in 0..TRIES {
        if let Some(new) = try_redeliver(store, key, origin, now).await? {
            return Ok(new);
        }
        tokio::time::sleep(Duration::from_millis(PAUSE_MS)).await;
    }
    Err(StoreError::Unavailable("other new runs of this tenant are being made".to_owned()))
}

/// `None`: somebody else makes new runs of this tenant at this moment.
async fn try_redeliver(
    store: &PostgresStore,
    key: DeliveryKey,
    origin: Origin,
    now: Timestamp,
) -> Result<Option<DeliveryKey>, StoreError> {
    let (event, destination, run) = parts(key);
    let mut transaction = store.desk_begin().await?;
    let tenant: Option<i64> =
        sqlx::query_scalar("SELECT tenant FROM delivery WHERE event = $1 AND destination = $2 AND run = $3")
            .bind(event)
            .bind(destination)
            .bind(run)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(undone)?;
    let tenant = TenantNo(tenant.ok_or(StoreError::NotFound("ended delivery"))?);
    lock_tenant(&mut transaction, tenant).await?;
    let free: bool = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1, ($2 & 2147483647)::int)")
        .bind(RUNS)
        .bind(tenant.0)
        .fetch_one(&mut *transaction)
        .await
        .map_err(undone)?;
    if !free {
        return Ok(None);
    }
    let made = again(&mut transaction, tenant, &[key], origin, None, now).await?;
    let new = made.first().copied().ok_or(StoreError::NotFound("ended delivery"))?;
    commit(transaction).await?;
    Ok(Some(new))
}

/// No write of this tenant's configuration, which may delete a destination, until the transaction ends.
async fn lock_tenant(connection: &mut PgConnection, tenant: TenantNo) -> Result<(), StoreError> {
    sqlx::query("SELECT 1 FROM tenant WHERE no = $1 FOR SHARE")
        .bind(tenant.0)
        .execute(connection)
        .await
        .map(|_| ())
        .map_err(undone)
}

/// The same, and one writer of new runs per tenant at a time, so that no run is given twice.
pub async fn lock_runs(connection: &mut PgConnection, tenant: TenantNo) -> Result<(), StoreError> {
    lock_tenant(connection, tenant).await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1, ($2 & 2147483647)::int)")
        .bind(RUNS)
        .bind(tenant.0)
        .execute(connection)
        .await
        .map(|_| ())
        .map_err(undone)
}

/// Makes the next run of each of these ended deliveries of one tenant, in their order; those that are gone (they, their
/// destination or their event) are left out. Under [`lock_runs`].
pub async fn again(
    connection: &mut PgConnection,
    tenant: TenantNo,
    keys: &[DeliveryKey],
    origin: Origin,
    job: Option<JobId>,
    now: Timestamp,
) -> Result<Vec<DeliveryKey>, StoreError> {
    let rows = sqlx::query(FIND)
        .bind(keys.iter().map(|key| key.event.0).collect::<Vec<_>>())
        .bind(keys.iter().map(|key| key.destination.0).collect::<Vec<_>>())
        .bind(keys.iter().map(|key| parts(*key).2).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await
        .map_err(undone)?;
    let ordered = ordered(connection, keys).await?;
    let (mut found, mut bytes) = (Vec::new(), Vec::new());
    for row in &rows {
        let key = crate::rows::key(row)?;
        let Some(ordered) = ordered.get(&key.destination.0) else { continue };
        // Made before its destination kept an order: all such share one lane.
        let lane = ordered.then(|| get::<Option<Uuid>>(row, "lane").map(Option::unwrap_or_default)).transpose()?;
        found.push((key, lane));
        bytes.push(get::<i32>(row, "payload_bytes")?);
    }
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let seqs = places(connection, &found).await?;
    let rows = sqlx::query(MAKE)
        .bind(found.iter().map(|(key, _)| key.event.0).collect::<Vec<_>>())
        .bind(found.iter().map(|(key, _)| key.destination.0).collect::<Vec<_>>())
        .bind(found.iter().map(|(key, _)| parts(*key).2).collect::<Vec<_>>())
        .bind(tenant.0)
        .bind(now.0)
        .bind(origin as i16)
        .bind(job.map(|job| job.0))
        .bind(found.iter().map(|(_, lane)| *lane).collect::<Vec<_>>())
        .bind(seqs)
        .bind(bytes)
        .fetch_all(connection)
        .await
        .map_err(undone)?;
    rows.iter()
        .map(|row| {
            let (event, destination) = (EventUid(get(row, "event")?), DestinationNo(get(row, "destination")?));
            Ok(DeliveryKey { event, destination, run: count(row, "run")? })
        })
        .collect()
}

/// Of those destinations that are there: whether each keeps an order.
async fn ordered(connection: &mut PgConnection, keys: &[DeliveryKey]) -> Result<BTreeMap<i64, bool>, StoreError> {
    let asked: BTreeSet<i64> = keys.iter().map(|key| key.destination.0).collect();
    let rows =
        sqlx::query(SPECS).bind(asked.into_iter().collect::<Vec<_>>()).fetch_all(connection).await.map_err(undone)?;
    rows.iter()
        .map(|row| Ok((get(row, "no")?, json::<DestinationSpec>(row, "spec")?.ordering != Ordering::None)))
        .collect()
}

/// A place at the tail of its destination's order for each that has a lane; 0 for the others.
async fn places(connection: &mut PgConnection, found: &[(DeliveryKey, Option<Uuid>)]) -> Result<Vec<i64>, StoreError> {
    let mut counts = BTreeMap::new();
    for (key, _) in found.iter().filter(|(_, lane)| lane.is_some()) {
        *counts.entry(key.destination.0).or_insert(0_i64) += 1;
    }
    let mut next = take_seqs(connection, &counts).await?;
    let mut place = |key: &DeliveryKey| {
        let seq = next.entry(key.destination.0).or_insert(0);
        *seq += 1;
        *seq
    };
    Ok(found.iter().map(|(key, lane)| if lane.is_some() { place(key) } else { 0 }).collect())
}

/// Takes so many places from each destination; answers with the last one before them.
pub async fn take_seqs(
    connection: &mut PgConnection,
    counts: &BTreeMap<i64, i64>,
) -> Result<BTreeMap<i64, i64>, StoreError> {
    if counts.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query(NEXT_SEQ)
        .bind(counts.keys().copied().collect::<Vec<_>>())
        .bind(counts.values().copied().collect::<Vec<_>>())
        .fetch_all(connection)
        .await
        .map_err(undone)?;
    rows.iter()
        .map(|row| {
            let no = get(row, "destination")?;
            Ok((no, get::<i64>(row, "seq")? - counts.get(&no).copied().unwrap_or(0)))
        })
        .collect()
}
