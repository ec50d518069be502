//! Events.

use crate::codec::{Cells, blob, first_uid};
use crate::error::{Res, damaged};
use bytes::Bytes;
use futures::future::BoxFuture;
use railhead_model::{EventUid, Route, TenantNo};
use railhead_store::history::{EventFilter, EventRow, MAX_EXAMINED, Page};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use std::sync::LazyLock;
use uuid::Uuid;

const COLUMNS: &str = "uid, id, type, at, route, payload_bytes, head, origin";

/// Rows that are read at once at most.
const CHUNK: usize = 500;

pub(super) async fn by_uid(
    connection: &mut SqliteConnection,
    tenant: TenantNo,
    uid: EventUid,
) -> Res<Option<EventRow>> {
    static SQL: LazyLock<String> =
        LazyLock::new(|| format!("SELECT {COLUMNS} FROM event WHERE uid = ? AND tenant = ?"));
    let found = sqlx::query(SQL.as_str()).bind(blob(&uid.0)).bind(tenant.0).fetch_optional(connection).await?;
    found.as_ref().map(event_row).transpose()
}

pub(super) async fn by_id(connection: &mut SqliteConnection, tenant: TenantNo, id: String) -> Res<Option<EventRow>> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        format!("SELECT {COLUMNS} FROM event WHERE tenant = ? AND id = ? AND idh IS NOT NULL ORDER BY uid DESC LIMIT 1")
    });
    let query = sqlx::query(SQL.as_str()).bind(tenant.0).bind(id.as_str());
    let found = query.fetch_optional(&mut *connection).await?;
    match found {
        Some(row) => Ok(Some(event_row(&row)?)),
        // An id that we made is the text of the uid.
        None => match id.parse() {
            Ok(uid) => by_uid(connection, tenant, uid).await,
            Err(_) => Ok(None),
        },
    }
}

pub(super) fn page(
    connection: &mut SqliteConnection,
    tenant: TenantNo,
    filter: EventFilter,
    before: Option<EventUid>,
    limit: u32,
) -> BoxFuture<'_, Res<Page<EventRow, EventUid>>> {
    Box::pin(async move {
        let mut walk = Walk::new(tenant, &filter, before);
        let chunk = (limit as usize + 1).clamp(50, CHUNK);
        let mut page = Page { rows: Vec::new(), next: before };
        let mut examined = 0;
        loop {
            let rows = walk.next(connection, chunk).await?;
            let last = rows.len() < chunk;
            for row in rows {
                if page.rows.len() == limit as usize || examined == MAX_EXAMINED {
                    return Ok(page);
                }
                examined += 1;
                page.next = Some(row.uid);
                if filter.matches(&row) {
                    page.rows.push(row);
                }
            }
            if last {
                return Ok(Page { next: None, ..page });
            }
        }
    })
}

/// A tenant's events, newest first, within the bounds that a filter sets on their uids.
struct Walk {
    tenant: TenantNo,
    before: Uuid,
    from: Uuid,
}

impl Walk {
    fn new(tenant: TenantNo, filter: &EventFilter, before: Option<EventUid>) -> Self {
        let until = filter.until.map_or(Uuid::max(), |until| first_uid(until).0);
        let before = before.map_or(until, |before| before.0.min(until));
        Self { tenant, before, from: filter.since.map_or(Uuid::nil(), |since| first_uid(since).0) }
    }

    async fn next(&mut self, connection: &mut SqliteConnection, count: usize) -> Res<Vec<EventRow>> {
        static SQL: LazyLock<String> = LazyLock::new(|| {
            format!("SELECT {COLUMNS} FROM event WHERE tenant = ? AND uid < ? AND uid >= ? ORDER BY uid DESC LIMIT ?")
        });
        let query = sqlx::query(SQL.as_str()).bind(self.tenant.0).bind(blob(&self.before)).bind(blob(&self.from));
        let found = query.bind(count as i64).fetch_all(connection).await?;
        let rows: Vec<EventRow> = found.iter().map(event_row).collect::<Res<_>>()?;
        self.before = rows.last().map_or(self.before, |row| row.uid.0);
        Ok(rows)
    }
}

pub(super) async fn payload(connection: &mut SqliteConnection, tenant: TenantNo, uid: EventUid) -> Res<Option<Bytes>> {
    let query = sqlx::query_scalar("SELECT payload FROM event WHERE uid = ? AND tenant = ?");
    let found: Option<Option<Vec<u8>>> = query.bind(blob(&uid.0)).bind(tenant.0).fetch_optional(connection).await?;
    Ok(found.flatten().map(Bytes::from))
}

pub(super) async fn erase(connection: &mut SqliteConnection, tenant: TenantNo, uid: EventUid) -> Res<bool> {
    let query = sqlx::query("UPDATE event SET payload = NULL WHERE uid = ? AND tenant = ?");
    let done = query.bind(blob(&uid.0)).bind(tenant.0).execute(connection).await?;
    Ok(done.rows_affected() == 1)
}

fn event_row(row: &SqliteRow) -> Res<EventRow> {
    let mut cells = Cells::new(row);
    Ok(EventRow {
        uid: cells.uid()?,
        id: cells.text()?,
        event_type: cells.text()?,
        at: cells.time()?,
        route: Route::decode(cells.get()?).map_err(|error| damaged(&error.to_string()))?,
        payload_bytes: cells.count()?,
        head: cells.bytes()?,
        origin: cells.origin()?,
    })
}
