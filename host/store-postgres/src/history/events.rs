//! Events as they are listed.

use crate::connect::PostgresStore;
use crate::error::{Commits, undone};
use crate::partition::uid_bound;
use crate::rows::{bytes, count, get, numbered, time};
use bytes::Bytes;
use railhead_model::{EventUid, Origin, Route, TenantNo};
use railhead_store::StoreError;
use railhead_store::history::{EventFilter, EventRow, MAX_EXAMINED, Page};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgRow;
use uuid::Uuid;

const SELECT: &str = "SELECT uid, id, type, at, route, payload_bytes, head, origin FROM event";

/// Events that one query reads.
const CHUNK: usize = 1_000;

pub async fn by_uid(store: &PostgresStore, tenant: TenantNo, uid: EventUid) -> Result<Option<EventRow>, StoreError> {
    let row = sqlx::query(AssertSqlSafe(format!("{SELECT} WHERE uid = $1 AND tenant = $2")))
        .bind(uid.0)
        .bind(tenant.0)
        .fetch_optional(&mut *store.reader(tenant).await?)
        .await
        .map_err(undone)?;
    row.as_ref().map(read).transpose()
}

/// A vendor's id by its index, the newest first; an id that we made is the text of its uid.
pub async fn by_id(store: &PostgresStore, tenant: TenantNo, id: &str) -> Result<Option<EventRow>, StoreError> {
    let sql = format!("{SELECT} WHERE tenant = $1 AND id = $2 AND idh IS NOT NULL ORDER BY uid DESC LIMIT 1");
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind(tenant.0)
        .bind(id)
        .fetch_optional(&mut *store.reader(tenant).await?)
        .await
        .map_err(undone)?;
    let given = row.as_ref().map(read).transpose()?;
    let made = match id.parse::<EventUid>() {
        Ok(uid) => by_uid(store, tenant, uid).await?.filter(|event| event.id == id),
        Err(_) => None,
    };
    Ok(given.into_iter().chain(made).max_by_key(|event| event.uid))
}

pub async fn list(
    store: &PostgresStore,
    tenant: TenantNo,
    filter: &EventFilter,
    before: Option<EventUid>,
    limit: u32,
) -> Result<Page<EventRow, EventUid>, StoreError> {
    let low = filter.since.map_or(Uuid::nil(), |since| uid_bound(since).0);
    let mut high = before.map_or(Uuid::max(), |uid| uid.0);
    if let Some(until) = filter.until {
        high = high.min(uid_bound(until).0);
    }
    let mut page = Page { rows: Vec::new(), next: None };
    let mut examined = 0;
    loop {
        let rows = chunk(store, tenant, low, high).await?;
        for row in &rows {
            if page.rows.len() == limit as usize || examined == MAX_EXAMINED {
                return Ok(page);
            }
            let event = read(row)?;
            examined += 1;
            high = event.uid.0;
            page.next = Some(event.uid);
            if filter.matches(&event) {
                page.rows.push(event);
            }
        }
        if rows.len() < CHUNK {
            page.next = None;
            return Ok(page);
        }
    }
}

pub async fn payload(store: &PostgresStore, tenant: TenantNo, uid: EventUid) -> Result<Option<Bytes>, StoreError> {
    let payload: Option<Option<Vec<u8>>> =
        sqlx::query_scalar("SELECT payload FROM event WHERE uid = $1 AND tenant = $2")
            .bind(uid.0)
            .bind(tenant.0)
            .fetch_optional(&mut *store.reader(tenant).await?)
            .await
            .map_err(undone)?;
    Ok(payload.flatten().map(Bytes::from))
}

pub async fn erase_payload(store: &PostgresStore, tenant: TenantNo, uid: EventUid) -> Result<bool, StoreError> {
    let done = sqlx::query("UPDATE event SET payload = NULL WHERE uid = $1 AND tenant = $2")
        .bind(uid.0)
        .bind(tenant.0)
        .execute(&mut *store.desk().await?)
        .await
        .commits()?;
    Ok(done.rows_affected() == 1)
}

async fn chunk(store: &PostgresStore, tenant: TenantNo, low: Uuid, high: Uuid) -> Result<Vec<PgRow>, StoreError> {
    let sql = format!("{SELECT} WHERE tenant = $1 AND uid >= $2 AND uid < $3 ORDER BY uid DESC LIMIT $4");
    sqlx::query(AssertSqlSafe(sql))
        .bind(tenant.0)
        .bind(low)
        .bind(high)
        .bind(CHUNK as i64)
        .fetch_all(&mut *store.reader(tenant).await?)
        .await
        .map_err(undone)
}

fn read(row: &PgRow) -> Result<EventRow, StoreError> {
    let route: &[u8] = get(row, "route")?;
    Ok(EventRow {
        uid: EventUid(get(row, "uid")?),
        id: get(row, "id")?,
        event_type: get(row, "type")?,
        at: time(row, "at")?,
        route: Route::decode(route).map_err(|error| StoreError::Damaged(error.to_string()))?,
        payload_bytes: count(row, "payload_bytes")?,
        head: bytes(row, "head")?,
        origin: numbered(row, "origin", Origin::from_number)?,
    })
}
