//! Expiry ends what waited too long; retention drops whole days.

use crate::connect::{PostgresStore, commit};
use crate::error::{Commits, NO_PARTITION, undone};
use crate::partition::{day_start, uid_bound};
use railhead_model::{DestinationNo, End, EventUid, Timestamp};
use railhead_store::StoreError;
use railhead_store::jobs::{STEP, Stepped};
use std::collections::BTreeSet;

/// Rows that somebody changes right now are left to the next step.
const EXPIRE: &str = "
WITH old AS MATERIALIZED (
    SELECT w.ctid AS place FROM work w WHERE w.event < $1 ORDER BY w.event, w.destination, w.run LIMIT $2
    FOR UPDATE SKIP LOCKED),
w AS (DELETE FROM work w WHERE w.ctid = ANY(ARRAY(SELECT place FROM old)) RETURNING w.*)
INSERT INTO delivery (event, destination, run, tenant, state, code, attempts, tries, at, lane, origin, previous, job, made_at)
SELECT event, destination, run, tenant, $3, 'expired', attempts, tries, $4, lane, origin, previous, job, made_at FROM w
ON CONFLICT DO NOTHING RETURNING destination";

/// What still waits for a day that goes. Ordinarily it was expired before.
const FORGET: &str = "
WITH f AS (DELETE FROM fanout WHERE event < $1)
DELETE FROM work w WHERE w.ctid = ANY(ARRAY(SELECT w.ctid FROM work w WHERE w.event < $1 ORDER BY w.event LIMIT 1000 FOR UPDATE))";

pub async fn step(store: &PostgresStore, before: Timestamp, now: Timestamp) -> Result<Stepped, StoreError> {
    match expire(store, before, now).await {
        // The day is gone, and its delivery is not: its end is kept as that of any other, until the day goes again.
        Err(StoreError::NotFound(NO_PARTITION)) => {
            let oldest: Option<uuid::Uuid> = sqlx::query_scalar("SELECT event FROM work ORDER BY event LIMIT 1")
                .fetch_optional(&mut *store.desk().await?)
                .await
                .map_err(undone)?;
            store.ensure_days(oldest.map(|uid| EventUid(uid).at().day()).into_iter().collect()).await?;
            Ok(Stepped { more: true, ..Stepped::default() })
        }
        other => other,
    }
}

async fn expire(store: &PostgresStore, before: Timestamp, now: Timestamp) -> Result<Stepped, StoreError> {
    let mut transaction = store.desk_begin().await?;
    let bound = uid_bound(before).0;
    let ended: Vec<i64> = sqlx::query_scalar(EXPIRE)
        .bind(bound)
        .bind(STEP as i64)
        .bind(End::Expired as i16)
        .bind(now.0)
        .fetch_all(&mut *transaction)
        .await
        .map_err(undone)?;
    let more =
        sqlx::query_scalar("SELECT count(*) > 0 FROM (SELECT 1 FROM work WHERE event < $1 ORDER BY event LIMIT 1) x")
            .bind(bound)
            .fetch_one(&mut *transaction)
            .await
            .map_err(undone)?;
    commit(transaction).await?;
    let destinations: BTreeSet<_> = ended.iter().copied().map(DestinationNo).collect();
    Ok(Stepped { destinations: destinations.into_iter().collect(), rows: ended.len(), more })
}

/// One partitioned day per step, and only whole days: a day goes when all of its events are older than `before`.
pub async fn retention(store: &PostgresStore, before: Timestamp) -> Result<Stepped, StoreError> {
    let Some(day) = store.oldest_day().await?.filter(|day| *day < before.day()) else { return Ok(Stepped::default()) };
    let waiting = sqlx::query(FORGET)
        .bind(day_start(day + 1))
        .execute(&mut *store.desk().await?)
        .await
        .commits()?
        .rows_affected();
    if waiting > 0 {
        return Ok(Stepped { rows: usize::try_from(waiting).unwrap_or(usize::MAX), more: true, ..Stepped::default() });
    }
    store.drop_day(day).await?;
    let more = store.oldest_day().await?.is_some_and(|day| day < before.day());
    Ok(Stepped { rows: 1, more, ..Stepped::default() })
}
