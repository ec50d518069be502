//! Deliveries as they are shown: the waiting and the ended alike, with their last attempts.

use crate::codec::{Cells, blob};
use crate::error::Res;
use railhead_model::{AttemptKey, DeliveryKey, DeliveryState, End, EventUid, TenantNo};
use railhead_store::history::{AttemptRow, DeliveryRow, waiting_state};
use sqlx::sqlite::SqliteConnection;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Columns of a waiting delivery `w` of event `e` with its last attempt `a`.
pub(crate) const WAITING: &str = "w.event, w.destination, w.run, e.type, e.id, w.attempts, w.tries, w.origin,
    w.previous, w.job, w.made_at, w.due, a.n, a.started_at, a.duration_ms, a.outcome, a.reason_code, a.message,
    a.status, a.connector_version, a.config_revision";

/// Joins the last attempt of `w`.
pub(crate) const WAITING_LAST: &str = "LEFT JOIN attempt a
    ON a.event = w.event AND a.destination = w.destination AND a.run = w.run AND a.n =
    (SELECT max(n) FROM attempt x WHERE x.event = w.event AND x.destination = w.destination AND x.run = w.run)";

/// Columns of an ended delivery `d` of event `e`; `a` is the last attempt of one that ended without any.
pub(crate) const ENDED: &str = "d.event, d.destination, d.run, e.type, e.id, d.attempts, d.tries, d.origin,
    d.previous, d.job, d.made_at, d.state, d.code, d.at, coalesce(d.n, a.n), coalesce(d.started_at, a.started_at),
    coalesce(d.duration_ms, a.duration_ms), coalesce(d.outcome, a.outcome), coalesce(d.reason_code, a.reason_code),
    coalesce(d.message, a.message), iif(d.n IS NULL, a.status, d.status),
    coalesce(d.connector_version, a.connector_version), coalesce(d.config_revision, a.config_revision)";

/// Joins the last attempt of a `d` that ended without one.
pub(crate) const ENDED_LAST: &str = "LEFT JOIN attempt a
    ON d.n IS NULL AND a.event = d.event AND a.destination = d.destination AND a.run = d.run AND a.n =
    (SELECT max(n) FROM attempt x WHERE x.event = d.event AND x.destination = d.destination AND x.run = d.run)";

/// Reads [`WAITING`].
pub(crate) fn read_waiting(cells: &mut Cells<'_>) -> Res<DeliveryRow> {
    let mut row = read_common(cells)?;
    row.next_attempt_at = Some(cells.time()?);
    row.last_attempt = cells.maybe_attempt()?;
    row.state = waiting_state(row.tries);
    row.code = row.last_attempt.as_ref().map_or_else(String::new, |last| last.reason.code.clone());
    Ok(row)
}

/// Reads [`ENDED`].
pub(crate) fn read_ended(cells: &mut Cells<'_>) -> Res<DeliveryRow> {
    let mut row = read_common(cells)?;
    row.state = cells.word(End::from_number)?.into();
    row.code = cells.text()?;
    row.ended_at = Some(cells.time()?);
    row.last_attempt = cells.maybe_attempt()?;
    Ok(row)
}

fn read_common(cells: &mut Cells<'_>) -> Res<DeliveryRow> {
    Ok(DeliveryRow {
        key: cells.key()?,
        event_type: cells.text()?,
        event_id: cells.text()?,
        state: DeliveryState::Pending,
        code: String::new(),
        attempts: cells.count()?,
        tries: cells.count()?,
        origin: cells.origin()?,
        previous: cells.maybe_run()?,
        job: cells.maybe_job()?,
        created_at: cells.time()?,
        next_attempt_at: None,
        ended_at: None,
        last_attempt: None,
    })
}

/// The waiting are read first: what ends in between is found among the ended.
pub(super) async fn of_event(
    connection: &mut SqliteConnection,
    tenant: TenantNo,
    uid: EventUid,
) -> Res<Vec<DeliveryRow>> {
    static WAITING_OF: LazyLock<String> = LazyLock::new(|| {
        format!(
            "SELECT {WAITING} FROM event e CROSS JOIN work w ON w.event = e.uid {WAITING_LAST}
             WHERE e.uid = ? AND e.tenant = ?"
        )
    });
    static ENDED_OF: LazyLock<String> = LazyLock::new(|| {
        format!(
            "SELECT {ENDED} FROM event e CROSS JOIN delivery d ON d.event = e.uid {ENDED_LAST}
             WHERE e.uid = ? AND e.tenant = ?"
        )
    });
    let mut found = BTreeMap::new();
    let query = sqlx::query(WAITING_OF.as_str()).bind(blob(&uid.0)).bind(tenant.0);
    for row in query.fetch_all(&mut *connection).await? {
        let row = read_waiting(&mut Cells::new(&row))?;
        found.insert(row.key, row);
    }
    let query = sqlx::query(ENDED_OF.as_str()).bind(blob(&uid.0)).bind(tenant.0);
    for row in query.fetch_all(&mut *connection).await? {
        let row = read_ended(&mut Cells::new(&row))?;
        found.insert(row.key, row);
    }
    Ok(found.into_values().collect())
}

pub(super) async fn one(
    connection: &mut SqliteConnection,
    tenant: TenantNo,
    key: DeliveryKey,
) -> Res<Option<DeliveryRow>> {
    static WAITING_ONE: LazyLock<String> = LazyLock::new(|| {
        format!(
            "SELECT {WAITING} FROM event e CROSS JOIN work w ON w.event = e.uid {WAITING_LAST}
             WHERE e.uid = ? AND e.tenant = ? AND w.destination = ? AND w.run = ?"
        )
    });
    static ENDED_ONE: LazyLock<String> = LazyLock::new(|| {
        format!(
            "SELECT {ENDED} FROM event e CROSS JOIN delivery d ON d.event = e.uid {ENDED_LAST}
             WHERE e.uid = ? AND e.tenant = ? AND d.destination = ? AND d.run = ?"
        )
    });
    let bind = |sql: &'static str| {
        let query = sqlx::query(sql).bind(key.event.0.as_bytes().to_vec()).bind(tenant.0);
        query.bind(key.destination.0).bind(i64::from(key.run))
    };
    if let Some(row) = bind(&WAITING_ONE).fetch_optional(&mut *connection).await? {
        return read_waiting(&mut Cells::new(&row)).map(Some);
    }
    let ended = bind(&ENDED_ONE).fetch_optional(connection).await?;
    ended.map(|row| read_ended(&mut Cells::new(&row))).transpose()
}

/// The one that ended the delivery stands last, and wins over a copy among the others.
pub(super) async fn attempts(
    connection: &mut SqliteConnection,
    tenant: TenantNo,
    key: DeliveryKey,
) -> Res<Vec<AttemptRow>> {
    const COLUMNS: &str = "n, started_at, duration_ms, outcome, reason_code, message, status, connector_version,
                           config_revision, transcript, owner";
    static SQL: LazyLock<String> = LazyLock::new(|| {
        let of_key = "WHERE event = ?1 AND destination = ?2 AND run = ?3";
        let own = "AND EXISTS (SELECT 1 FROM event e WHERE e.uid = ?1 AND e.tenant = ?4)";
        format!(
            "SELECT {COLUMNS} FROM attempt {of_key} {own}
             UNION ALL SELECT {COLUMNS} FROM delivery {of_key} AND n IS NOT NULL {own}"
        )
    });
    let query = sqlx::query(SQL.as_str()).bind(blob(&key.event.0)).bind(key.destination.0).bind(i64::from(key.run));
    let mut found = BTreeMap::new();
    for row in query.bind(tenant.0).fetch_all(&mut *connection).await? {
        if let Some(row) = Cells::new(&row).maybe_attempt_row()? {
            found.insert(row.attempt.n, row);
        }
    }
    let mut rows: Vec<_> = found.into_values().collect();
    resolve(connection, &mut rows).await?;
    Ok(rows)
}

/// A transcript that several attempts share.
pub(crate) const SHARED: &str =
    "SELECT sealed FROM transcript WHERE event = ? AND destination = ? AND run = ? AND n = ?";

/// Puts shared transcripts into the rows that refer to them.
async fn resolve(connection: &mut SqliteConnection, rows: &mut [AttemptRow]) -> Res<()> {
    for row in rows {
        let Some(AttemptKey { delivery, n }) = row.owner else { continue };
        let query = sqlx::query(SHARED).bind(delivery.event.0.as_bytes().to_vec()).bind(delivery.destination.0);
        let query = query.bind(i64::from(delivery.run)).bind(i64::from(n));
        if let Some(found) = query.fetch_optional(&mut *connection).await? {
            row.transcript = Cells::new(&found).maybe_bytes()?;
        }
    }
    Ok(())
}

/// Rows that the count of one state walks at most, the newest first.
const COUNTED: i64 = 20_000;

/// One bounded walk for each state.
pub(super) async fn counts(
    connection: &mut SqliteConnection,
    tenant: TenantNo,
    cap: u32,
) -> Res<Vec<(DeliveryState, u64)>> {
    let waiting = "SELECT count(*) FROM (SELECT 1 FROM
                   (SELECT w.tries FROM destination o CROSS JOIN work w ON w.destination = o.no
                    WHERE o.tenant = ?1 LIMIT ?4) WHERE (tries > 0) = ?2 LIMIT ?3)";
    let delivered = "SELECT count(*) FROM (SELECT 1 FROM
                     (SELECT d.state FROM event e CROSS JOIN delivery d ON d.event = e.uid
                      WHERE e.tenant = ?1 ORDER BY e.uid DESC LIMIT ?4) WHERE state = ?2 LIMIT ?3)";
    let failed = "SELECT count(*) FROM (SELECT 1 FROM
                  (SELECT state FROM delivery WHERE tenant = ?1 AND state <> 0 ORDER BY event DESC LIMIT ?4)
                  WHERE state = ?2 LIMIT ?3)";
    let questions = [
        (DeliveryState::Pending, waiting, 0),
        (DeliveryState::Retrying, waiting, 1),
        (DeliveryState::Delivered, delivered, End::Delivered as i32),
        (DeliveryState::Dead, failed, End::Dead as i32),
        (DeliveryState::Expired, failed, End::Expired as i32),
        (DeliveryState::Cancelled, failed, End::Cancelled as i32),
    ];
    let mut counts = Vec::new();
    for (state, sql, number) in questions {
        let query = sqlx::query_scalar(sql).bind(tenant.0).bind(number).bind(i64::from(cap)).bind(COUNTED);
        let count: i64 = query.fetch_one(&mut *connection).await?;
        if count > 0 {
            counts.push((state, count as u64));
        }
    }
    Ok(counts)
}
