//! Stable batches: members are written once and never change.

use crate::connect::PostgresStore;
use crate::error::{Commits, undone};
use crate::rows::{count, get, int, time, unsigned};
use railhead_model::{DeliveryKey, DestinationNo, EventUid, HostId};
use railhead_store::StoreError;
use railhead_store::work::StableBatch;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use uuid::Uuid;

const OPEN: &str = "
INSERT INTO batch (destination, no, events, runs, due, attempts) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (destination, no) DO UPDATE SET due = EXCLUDED.due, attempts = EXCLUDED.attempts";

const LIST: &str = "
SELECT b.destination, b.no, b.due, b.attempts, l.events, l.runs FROM unnest($1::bigint[]) AS u(destination)
CROSS JOIN LATERAL (SELECT * FROM batch b WHERE b.destination = u.destination ORDER BY b.destination, b.no LIMIT 1000) b
CROSS JOIN LATERAL (
    SELECT COALESCE(array_agg(m.event ORDER BY m.ord), '{}') AS events, COALESCE(array_agg(m.run ORDER BY m.ord), '{}') AS runs
    FROM unnest(b.events, b.runs) WITH ORDINALITY AS m(event, run, ord)
    CROSS JOIN LATERAL (
        SELECT 1 FROM work w WHERE w.event = m.event AND w.destination = b.destination AND w.run = m.run
        ORDER BY w.event, w.destination, w.run LIMIT 1
    ) w
) l";

pub async fn open(store: &PostgresStore, host: HostId, batches: &[StableBatch]) -> Result<(), StoreError> {
    let mut transaction = store.engine_begin().await?;
    hold_fence(&mut transaction, host).await?;
    for batch in batches {
        sqlx::query(OPEN)
            .bind(batch.destination.0)
            .bind(number(batch.number))
            .bind(batch.members.iter().map(|key| key.event.0).collect::<Vec<_>>())
            .bind(batch.members.iter().map(|key| int(key.run)).collect::<Vec<_>>())
            .bind(batch.due.0)
            .bind(int(batch.attempts))
            .execute(&mut *transaction)
            .await
            .map_err(undone)?;
    }
    crate::connect::commit(transaction).await
}

pub async fn list(store: &PostgresStore, destinations: &[DestinationNo]) -> Result<Vec<StableBatch>, StoreError> {
    let rows = sqlx::query(LIST)
        .bind(super::numbers(destinations))
        .fetch_all(&mut *store.engine().await?)
        .await
        .map_err(undone)?;
    rows.iter().map(batch).collect()
}

pub async fn close(store: &PostgresStore, host: HostId, destination: DestinationNo, no: u64) -> Result<(), StoreError> {
    let open = sqlx::query(
        "WITH f AS MATERIALIZED (SELECT 1 FROM host WHERE id = $1 AND NOT fenced FOR SHARE),
         gone AS (DELETE FROM batch WHERE destination = $2 AND no = $3 AND EXISTS (SELECT 1 FROM f))
         SELECT 1 FROM f",
    )
    .bind(host.0)
    .bind(destination.0)
    .bind(number(no))
    .fetch_optional(&mut *store.engine().await?)
    .await
    .commits()?;
    open.map(|_| ()).ok_or(StoreError::Fenced)
}

/// Keeps this host from being fenced until the transaction ends.
async fn hold_fence(connection: &mut PgConnection, host: HostId) -> Result<(), StoreError> {
    sqlx::query("SELECT 1 FROM host WHERE id = $1 AND NOT fenced FOR SHARE")
        .bind(host.0)
        .fetch_optional(connection)
        .await
        .map_err(undone)?
        .map(|_| ())
        .ok_or(StoreError::Fenced)
}

fn batch(row: &PgRow) -> Result<StableBatch, StoreError> {
    let destination = DestinationNo(get(row, "destination")?);
    let (events, runs): (Vec<Uuid>, Vec<i32>) = (get(row, "events")?, get(row, "runs")?);
    let member = |(event, run)| Ok(DeliveryKey { event: EventUid(event), destination, run: unsigned(run)? });
    Ok(StableBatch {
        destination,
        number: u64::try_from(get::<i64>(row, "no")?).unwrap_or_default(),
        members: events.into_iter().zip(runs).map(member).collect::<Result<_, StoreError>>()?,
        due: time(row, "due")?,
        attempts: count(row, "attempts")?,
    })
}

fn number(no: u64) -> i64 {
    i64::try_from(no).unwrap_or(i64::MAX)
}
