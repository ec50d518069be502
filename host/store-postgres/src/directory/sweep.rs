//! Deleting tenants and destinations with what waits for them.

use super::tenant::bump;
use crate::connect::{PostgresStore, commit};
use crate::error::undone;
use railhead_model::{DestinationId, End, TenantNo, Timestamp};
use railhead_store::StoreError;
use sqlx::PgConnection;

/// Waiting deliveries that one transaction takes at most: the tenant's accepts wait for the first one.
const STEP: i64 = 10_000;

/// Locks in the order in which results are recorded, so that neither waits for the other in a circle. A place stays as
/// it is while its row is locked.
const LOCK: &str = "
WITH chosen AS MATERIALIZED (
    SELECT w.event, w.destination, w.run FROM unnest($1::bigint[]) AS u(no)
    CROSS JOIN LATERAL (
        SELECT * FROM work w WHERE w.destination = u.no ORDER BY w.destination, w.due LIMIT $2
    ) w LIMIT $2)
SELECT w.place FROM (SELECT * FROM chosen ORDER BY event, destination, run) s
CROSS JOIN LATERAL (
    SELECT w.ctid::text AS place FROM work w
    WHERE w.event = s.event AND w.destination = s.destination AND w.run = s.run FOR UPDATE
) w";

const CANCEL: &str = "
WITH w AS (DELETE FROM work w WHERE w.ctid = ANY($1::text[]::tid[]) RETURNING w.*)
INSERT INTO delivery (event, destination, run, tenant, state, code, attempts, tries, at, lane, origin, previous, job, made_at)
SELECT event, destination, run, tenant, $2, 'destination-deleted', attempts, tries, $3, lane, origin, previous, job, made_at
FROM w ON CONFLICT DO NOTHING";

const DROP: &str = "DELETE FROM work w WHERE w.ctid = ANY($1::text[]::tid[])";

/// Each with the numbers of the destinations that go.
const OF_DESTINATIONS: [&str; 3] = [
    "DELETE FROM credential WHERE destination = ANY($1::bigint[])",
    "DELETE FROM batch WHERE destination = ANY($1::bigint[])",
    "DELETE FROM ordered WHERE destination = ANY($1::bigint[])",
];

/// Each with the tenant's number.
const OF_TENANT: [&str; 2] = ["DELETE FROM fanout WHERE tenant = $1", "DELETE FROM job WHERE tenant = $1"];

/// The destination and up to [`STEP`] waiting deliveries go in one transaction; a longer backlog goes in further ones
/// before this returns. (After a crash between them the rest ends with the expiry of its events.)
pub async fn delete_destination(
    store: &PostgresStore,
    tenant: TenantNo,
    id: &DestinationId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some((nos, taken)) = store.desk_write(first_of_destination(store, tenant, id, now)).await? else {
        return Ok(false);
    };
    take_rest(store, &nos, Some(now), taken).await?;
    Ok(true)
}

/// As [`delete_destination`], without a record of what waited.
pub async fn delete_tenant(store: &PostgresStore, tenant: TenantNo) -> Result<bool, StoreError> {
    let Some((nos, taken)) = store.desk_write(first_of_tenant(store, tenant)).await? else { return Ok(false) };
    take_rest(store, &nos, None, taken).await?;
    Ok(true)
}

/// The numbers of the destinations that went, and how much waiting was taken; `None` if there is no such destination.
async fn first_of_destination(
    store: &PostgresStore,
    tenant: TenantNo,
    id: &DestinationId,
    now: Timestamp,
) -> Result<Option<(Vec<i64>, i64)>, StoreError> {
    let mut transaction = store.desk_begin().await?;
    match bump(&mut transaction, tenant).await {
        Err(StoreError::NotFound(_)) => return Ok(None),
        other => other?,
    }
    let no: Option<i64> = sqlx::query_scalar("DELETE FROM destination WHERE tenant = $1 AND id = $2 RETURNING no")
        .bind(tenant.0)
        .bind(id.as_str())
        .fetch_optional(&mut *transaction)
        .await
        .map_err(undone)?;
    let Some(no) = no else { return Ok(None) };
    forget(&mut transaction, &[no]).await?;
    let taken = take(&mut transaction, &[no], Some(now)).await?;
    commit(transaction).await?;
    Ok(Some((vec![no], taken)))
}

async fn first_of_tenant(store: &PostgresStore, tenant: TenantNo) -> Result<Option<(Vec<i64>, i64)>, StoreError> {
    let mut transaction = store.desk_begin().await?;
    let gone = sqlx::query("DELETE FROM tenant WHERE no = $1")
        .bind(tenant.0)
        .execute(&mut *transaction)
        .await
        .map_err(undone)?;
    if gone.rows_affected() == 0 {
        return Ok(None);
    }
    let nos: Vec<i64> = sqlx::query_scalar("DELETE FROM destination WHERE tenant = $1 RETURNING no")
        .bind(tenant.0)
        .fetch_all(&mut *transaction)
        .await
        .map_err(undone)?;
    forget(&mut transaction, &nos).await?;
    for sql in OF_TENANT {
        sqlx::query(sql).bind(tenant.0).execute(&mut *transaction).await.map_err(undone)?;
    }
    let taken = take(&mut transaction, &nos, None).await?;
    commit(transaction).await?;
    Ok(Some((nos, taken)))
}

async fn take_rest(
    store: &PostgresStore,
    destinations: &[i64],
    cancel: Option<Timestamp>,
    mut taken: i64,
) -> Result<(), StoreError> {
    while taken == STEP {
        taken = store.desk_write(take_step(store, destinations, cancel)).await?;
    }
    Ok(())
}

async fn take_step(store: &PostgresStore, destinations: &[i64], cancel: Option<Timestamp>) -> Result<i64, StoreError> {
    let mut transaction = store.desk_begin().await?;
    let taken = take(&mut transaction, destinations, cancel).await?;
    commit(transaction).await?;
    Ok(taken)
}

/// Ends some of what waits at these destinations as cancelled; without a time it goes unrecorded.
async fn take(
    connection: &mut PgConnection,
    destinations: &[i64],
    cancel: Option<Timestamp>,
) -> Result<i64, StoreError> {
    let places: Vec<String> = sqlx::query_scalar(LOCK)
        .bind(destinations.to_vec())
        .bind(STEP)
        .fetch_all(&mut *connection)
        .await
        .map_err(undone)?;
    let taken = i64::try_from(places.len()).unwrap_or(STEP);
    let query = match cancel {
        Some(now) => sqlx::query(CANCEL).bind(places).bind(End::Cancelled as i16).bind(now.0),
        None => sqlx::query(DROP).bind(places),
    };
    query.execute(connection).await.map_err(undone)?;
    Ok(taken)
}

async fn forget(connection: &mut PgConnection, destinations: &[i64]) -> Result<(), StoreError> {
    for sql in OF_DESTINATIONS {
        sqlx::query(sql).bind(destinations.to_vec()).execute(&mut *connection).await.map_err(undone)?;
    }
    Ok(())
}
