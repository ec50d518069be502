//! Deliveries and attempts as they are shown.

use super::walk::{LAST, Way, rows, step};
use crate::connect::PostgresStore;
use crate::error::undone;
use crate::rows::{attempt_row, get, int};
use bytes::Bytes;
use railhead_model::{AttemptKey, DeliveryKey, DeliveryState, End, EventUid, TenantNo};
use railhead_store::StoreError;
use railhead_store::history::{AttemptRow, DeliveryFilter, DeliveryRow, MAX_EXAMINED, Page};
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// Every attempt of a delivery, by n; the one that ended it is inline in its row.
const ATTEMPTS: &str = "
SELECT n, started_at, duration_ms, outcome, reason, message, status, connector_version, config_revision, transcript, owner
FROM attempt WHERE event = $1 AND destination = $2 AND run = $3
UNION ALL
SELECT n, started_at, duration_ms, outcome, reason, message, status, connector_version, config_revision, transcript, owner
FROM delivery WHERE event = $1 AND destination = $2 AND run = $3 AND n IS NOT NULL";

/// A transcript that several attempts share.
const SHARED: &str = "SELECT sealed FROM transcript WHERE event = $1 AND destination = $2 AND run = $3 AND n = $4";

/// Failed ones by their index; delivered and waiting ones by the tenant's destinations.
const COUNTS: &str = "
SELECT s.state, (SELECT count(*) FROM (
    SELECT 1 FROM delivery d WHERE d.tenant = $1 AND d.state <> 0 AND d.state = s.state LIMIT $2) x) AS n
FROM unnest(ARRAY[1, 2, 3]::smallint[]) AS s(state)
UNION ALL
SELECT 0::smallint, (SELECT count(*) FROM (
    SELECT 1 FROM destination t CROSS JOIN LATERAL (
        SELECT 1 FROM delivery d WHERE d.destination = t.no AND d.state = 0 LIMIT $2) d
    WHERE t.tenant = $1 LIMIT $2) x)
UNION ALL
SELECT -1::smallint, (SELECT count(*) FROM (
    SELECT 1 FROM destination t CROSS JOIN LATERAL (
        SELECT 1 FROM work w WHERE w.destination = t.no AND w.tries = 0 ORDER BY w.destination, w.due LIMIT $2) w
    WHERE t.tenant = $1 LIMIT $2) x)
UNION ALL
SELECT -2::smallint, (SELECT count(*) FROM (
    SELECT 1 FROM destination t CROSS JOIN LATERAL (
        SELECT 1 FROM work w WHERE w.destination = t.no AND w.tries > 0 ORDER BY w.destination, w.due LIMIT $2) w
    WHERE t.tenant = $1 LIMIT $2) x)";

pub async fn of_event(store: &PostgresStore, tenant: TenantNo, uid: EventUid) -> Result<Vec<DeliveryRow>, StoreError> {
    let filter = DeliveryFilter { event: Some(uid), ..DeliveryFilter::default() };
    let mut connection = store.reader(tenant).await?;
    let (mut all, mut cursor) = (Vec::new(), Some(LAST));
    while let Some(before) = cursor {
        let step = step(&mut connection, Way::Back, tenant, &filter, before).await?;
        all.extend(step.rows);
        cursor = step.next;
    }
    all.reverse();
    Ok(all)
}

pub async fn one(store: &PostgresStore, tenant: TenantNo, key: DeliveryKey) -> Result<Option<DeliveryRow>, StoreError> {
    find(&mut *store.reader(tenant).await?, tenant, key).await
}

async fn find(
    connection: &mut PgConnection,
    tenant: TenantNo,
    key: DeliveryKey,
) -> Result<Option<DeliveryRow>, StoreError> {
    let filter = DeliveryFilter { destination: Some(key.destination), ..DeliveryFilter::default() };
    let before = DeliveryKey { run: key.run.saturating_add(1), ..key };
    let found = rows(connection, Way::Back, tenant, &filter, before, &[key.event.0]).await?;
    Ok(found.into_iter().next().filter(|row| row.key == key))
}

pub async fn list(
    store: &PostgresStore,
    tenant: TenantNo,
    filter: &DeliveryFilter,
    before: Option<DeliveryKey>,
    limit: u32,
) -> Result<Page<DeliveryRow, DeliveryKey>, StoreError> {
    let mut connection = store.reader(tenant).await?;
    let mut page = Page { rows: Vec::new(), next: None };
    let (mut cursor, mut examined) = (before.unwrap_or(LAST), 0);
    loop {
        let step = step(&mut connection, Way::Back, tenant, filter, cursor).await?;
        for row in step.rows {
            if page.rows.len() == limit as usize || examined >= MAX_EXAMINED {
                return Ok(page);
            }
            examined += 1;
            page.next = Some(row.key);
            if filter.matches(&row) {
                page.rows.push(row);
            }
        }
        examined += step.empty;
        match step.next {
            Some(next) if examined < MAX_EXAMINED => cursor = next,
            next => {
                page.next = next;
                return Ok(page);
            }
        }
    }
}

pub async fn attempts(
    store: &PostgresStore,
    tenant: TenantNo,
    key: DeliveryKey,
) -> Result<Vec<AttemptRow>, StoreError> {
    let mut connection = store.reader(tenant).await?;
    if find(&mut connection, tenant, key).await?.is_none() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(ATTEMPTS)
        .bind(key.event.0)
        .bind(key.destination.0)
        .bind(int(key.run))
        .fetch_all(&mut *connection)
        .await
        .map_err(undone)?;
    let mut by_n = BTreeMap::new();
    for row in &rows {
        if let Some(row) = attempt_row(row)? {
            by_n.insert(row.attempt.n, row);
        }
    }
    let mut rows: Vec<_> = by_n.into_values().collect();
    resolve(&mut connection, &mut rows).await?;
    Ok(rows)
}

/// Puts shared transcripts into the rows that refer to them.
async fn resolve(connection: &mut PgConnection, rows: &mut [AttemptRow]) -> Result<(), StoreError> {
    for row in rows {
        let Some(AttemptKey { delivery, n }) = row.owner else { continue };
        let sealed: Option<Vec<u8>> = sqlx::query_scalar(SHARED)
            .bind(delivery.event.0)
            .bind(delivery.destination.0)
            .bind(i64::from(delivery.run))
            .bind(int(n))
            .fetch_optional(&mut *connection)
            .await
            .map_err(undone)?;
        row.transcript = sealed.map(Bytes::from);
    }
    Ok(())
}

pub async fn counts(
    store: &PostgresStore,
    tenant: TenantNo,
    cap: u32,
) -> Result<Vec<(DeliveryState, u64)>, StoreError> {
    let rows = sqlx::query(COUNTS)
        .bind(tenant.0)
        .bind(i64::from(cap))
        .fetch_all(&mut *store.reader(tenant).await?)
        .await
        .map_err(undone)?;
    let mut counts = BTreeMap::new();
    for row in &rows {
        let state = match get::<i16>(row, "state")? {
            -1 => DeliveryState::Pending,
            -2 => DeliveryState::Retrying,
            number => u8::try_from(number).ok().and_then(End::from_number).unwrap_or(End::Delivered).into(),
        };
        let n = u64::try_from(get::<i64>(row, "n")?).unwrap_or_default();
        if n > 0 {
            counts.insert(state, n);
        }
    }
    Ok(counts.into_iter().collect())
}
