//! The walk over a tenant's deliveries: events by index, a chunk at a time, then the deliveries of those events.

use crate::error::undone;
use crate::partition::uid_bound;
use crate::rows::{attempt, count, count_opt, get, key, numbered, time, time_opt};
use railhead_model::{DeliveryKey, DeliveryState, DestinationNo, End, EventUid, JobId, Origin, TenantNo};
use railhead_store::StoreError;
use railhead_store::history::{DeliveryFilter, DeliveryRow, waiting_state};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

/// Events of one step of the walk.
const EVENTS: usize = 200;

/// Deliveries that one step reads at most: one event may have thousands.
const ROWS: usize = 2_000;

/// Which way the walk goes, and what it looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Newest first, waiting deliveries too.
    Back,
    /// Oldest first, ended ones only, each the last run of its event and destination.
    Forth,
}

/// One step of a walk.
pub struct Step {
    /// In the order of the walk.
    pub rows: Vec<DeliveryRow>,
    /// Events that were looked at without finding a delivery, at most.
    pub empty: usize,
    /// The walk goes on after this; `None`: it is over.
    pub next: Option<DeliveryKey>,
}

/// The first place of a walk, in its order.
pub const FIRST: DeliveryKey =
    DeliveryKey { event: EventUid(Uuid::nil()), destination: DestinationNo(i64::MIN), run: 0 };

/// Behind every delivery.
pub const LAST: DeliveryKey =
    DeliveryKey { event: EventUid(Uuid::max()), destination: DestinationNo(i64::MAX), run: i32::MAX as u32 };

/// Reads the deliveries beyond `cursor`, which the filter may match; it is applied by the caller.
pub async fn step(
    connection: &mut PgConnection,
    way: Way,
    tenant: TenantNo,
    filter: &DeliveryFilter,
    cursor: DeliveryKey,
) -> Result<Step, StoreError> {
    let (low, high) = bounds(way, filter, cursor);
    let events = events(connection, way, tenant, filter, low, high).await?;
    let rows = rows(connection, way, tenant, filter, cursor, &events).await?;
    let next = match (rows.last(), events.last()) {
        (Some(last), _) if rows.len() == ROWS => Some(last.key),
        (_, Some(event)) if events.len() == EVENTS => Some(behind(way, EventUid(*event))),
        _ => None,
    };
    let empty = events.len().saturating_sub(rows.len());
    Ok(Step { rows, empty, next })
}

/// The deliveries of some events, with each event's type and id, and the last attempt of each.
pub async fn rows(
    connection: &mut PgConnection,
    way: Way,
    tenant: TenantNo,
    filter: &DeliveryFilter,
    cursor: DeliveryKey,
    events: &[Uuid],
) -> Result<Vec<DeliveryRow>, StoreError> {
    let rows = sqlx::query(AssertSqlSafe(rows_sql(way)))
        .bind(events.to_vec())
        .bind(tenant.0)
        .bind(filter.destination.map_or(i64::MIN, |no| no.0))
        .bind(filter.destination.map_or(i64::MAX, |no| no.0))
        .bind(cursor.event.0)
        .bind(cursor.destination.0)
        .bind(crate::rows::int(cursor.run))
        .bind(ROWS as i64)
        .fetch_all(connection)
        .await
        .map_err(undone)?;
    rows.iter().map(read).collect()
}

/// The place behind all deliveries of an event, in the order of the walk.
const fn behind(way: Way, event: EventUid) -> DeliveryKey {
    match way {
        Way::Back => DeliveryKey { event, ..FIRST },
        Way::Forth => DeliveryKey { event, ..LAST },
    }
}

/// Smallest and greatest uid that matter.
fn bounds(way: Way, filter: &DeliveryFilter, cursor: DeliveryKey) -> (Uuid, Uuid) {
    let (mut low, mut high) = match way {
        Way::Back => (Uuid::nil(), cursor.event.0),
        Way::Forth => (cursor.event.0, Uuid::max()),
    };
    if let Some(since) = filter.since {
        low = low.max(uid_bound(since).0);
    }
    if let Some(until) = filter.until {
        high = high.min(uid_bound(until).0);
    }
    match filter.event {
        Some(uid) => (low.max(uid.0), high.min(uid.0)),
        None => (low, high),
    }
}

/// Candidates by the narrowest index: a destination's ended deliveries, a tenant's failed ones, or all of its events.
async fn events(
    connection: &mut PgConnection,
    way: Way,
    tenant: TenantNo,
    filter: &DeliveryFilter,
    low: Uuid,
    high: Uuid,
) -> Result<Vec<Uuid>, StoreError> {
    let waits = |state: &DeliveryState| matches!(state, DeliveryState::Pending | DeliveryState::Retrying);
    let ended_only = way == Way::Forth || (!filter.states.is_empty() && !filter.states.iter().any(waits));
    let failed_only = ended_only && !filter.states.is_empty() && !filter.states.contains(&DeliveryState::Delivered);
    let (from, of) = match filter.destination {
        Some(no) if ended_only => ("SELECT DISTINCT event AS uid FROM delivery WHERE destination = $1 AND event", no.0),
        _ if failed_only => {
            ("SELECT DISTINCT event AS uid FROM delivery WHERE tenant = $1 AND state <> 0 AND event", tenant.0)
        }
        _ => ("SELECT uid FROM event WHERE tenant = $1 AND uid", tenant.0),
    };
    let order = if way == Way::Back { "DESC" } else { "ASC" };
    sqlx::query_scalar(AssertSqlSafe(format!("{from} BETWEEN $2 AND $3 ORDER BY uid {order} LIMIT $4")))
        .bind(of)
        .bind(low)
        .bind(high)
        .bind(EVENTS as i64)
        .fetch_all(connection)
        .await
        .map_err(undone)
}

fn rows_sql(way: Way) -> String {
    let (order, beyond) = if way == Way::Back { ("DESC", "<") } else { ("ASC", ">") };
    let each = match way {
        Way::Back => {
            format!("SELECT * FROM ({ENDED} {IN_ORDER}) d UNION ALL SELECT * FROM ({WAITING} {IN_ORDER}) w")
        }
        Way::Forth => format!("{ENDED} {LAST_RUN} {IN_ORDER}"),
    };
    format!(
        "SELECT r.event, r.destination, r.run, r.type, r.event_id, r.state, r.code, r.attempts, r.tries, r.origin,
            r.previous, r.job, r.made_at, r.due, r.at, COALESCE(r.n, a.n) AS n,
            COALESCE(r.started_at, a.started_at) AS started_at, COALESCE(r.duration_ms, a.duration_ms) AS duration_ms,
            COALESCE(r.outcome, a.outcome) AS outcome, COALESCE(r.reason, a.reason) AS reason,
            COALESCE(r.message, a.message) AS message, COALESCE(r.status, a.status) AS status,
            COALESCE(r.connector_version, a.connector_version) AS connector_version,
            COALESCE(r.config_revision, a.config_revision) AS config_revision
        FROM (
            SELECT u.uid AS event, e.type, e.id AS event_id, d.*
            FROM unnest($1::uuid[]) AS u(uid)
            CROSS JOIN LATERAL (SELECT e.type, e.id FROM event e WHERE e.uid = u.uid AND e.tenant = $2 LIMIT 1) e
            CROSS JOIN LATERAL ({each}) d
            WHERE (u.uid, d.destination, d.run) {beyond} ($5, $6, $7)
            ORDER BY u.uid {order}, d.destination {order}, d.run {order} LIMIT $8
        ) r
        LEFT JOIN LATERAL (
            SELECT * FROM attempt a
            WHERE r.n IS NULL AND a.event = r.event AND a.destination = r.destination AND a.run = r.run
            ORDER BY a.n DESC LIMIT 1
        ) a ON true
        ORDER BY r.event {order}, r.destination {order}, r.run {order}"
    )
}

/// In the order of their keys: only the primary key has it. By their conditions alone other indexes seem as good to the
/// planner on a day that it believes small, and are read from end to end.
const ENDED: &str = "
    SELECT d.destination, d.run, d.state, d.code, d.attempts, d.tries, d.origin, d.previous, d.job, d.made_at,
        NULL::bigint AS due, d.at, d.n, d.started_at, d.duration_ms, d.outcome, d.reason, d.message, d.status,
        d.connector_version, d.config_revision
    FROM delivery d WHERE d.event = u.uid AND d.destination BETWEEN $3 AND $4";

const IN_ORDER: &str = "ORDER BY event, destination, run OFFSET 0";

const WAITING: &str = "
    SELECT w.destination, w.run, NULL::smallint AS state, NULL::text AS code, w.attempts, w.tries, w.origin, w.previous,
        w.job, w.made_at, w.due, NULL::bigint AS at, NULL::int AS n, NULL::bigint AS started_at,
        NULL::int AS duration_ms, NULL::smallint AS outcome, NULL::text AS reason, NULL::text AS message,
        NULL::text AS status, NULL::text AS connector_version, NULL::bigint AS config_revision
    FROM work w WHERE w.event = u.uid AND w.destination BETWEEN $3 AND $4";

/// The greatest numbers, not NOT EXISTS: that would be a join, whose plan follows the statistics.
const LAST_RUN: &str = "
    AND d.run = (SELECT max(l.run) FROM delivery l WHERE l.event = d.event AND l.destination = d.destination)
    AND d.run > COALESCE((SELECT max(l.run) FROM work l WHERE l.event = d.event AND l.destination = d.destination), -1)";

fn read(row: &PgRow) -> Result<DeliveryRow, StoreError> {
    let ended = get::<Option<i16>>(row, "state")?.is_some();
    let tries = count(row, "tries")?;
    let last_attempt = attempt(row)?;
    let last_code = last_attempt.as_ref().map_or("", |last| last.reason.code.as_str());
    Ok(DeliveryRow {
        key: key(row)?,
        event_type: get(row, "type")?,
        event_id: get(row, "event_id")?,
        state: if ended { numbered(row, "state", End::from_number)?.into() } else { waiting_state(tries) },
        code: get::<Option<String>>(row, "code")?.unwrap_or_else(|| last_code.to_owned()),
        attempts: count(row, "attempts")?,
        tries,
        origin: numbered(row, "origin", Origin::from_number)?,
        previous: count_opt(row, "previous")?,
        job: get::<Option<Uuid>>(row, "job")?.map(JobId),
        created_at: time(row, "made_at")?,
        next_attempt_at: time_opt(row, "due")?,
        ended_at: time_opt(row, "at")?,
        last_attempt,
    })
}
