//! Accept: events and their work in one commit.

mod plan;

use crate::connect::{PostgresStore, commit};
use crate::error::{Commits, NO_PARTITION, undone};
use crate::rows::get;
use async_trait::async_trait;
use plan::{Plan, Why};
use railhead_model::{EventUid, Route};
use railhead_store::StoreError;
use railhead_store::accept::{Accept, Accepted, FirstEvent, NewEvent};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// How a tenant's row is locked where others' events come along: a write of its configuration makes nobody else wait.
macro_rules! skipping {
    () => {
        "FOR SHARE SKIP LOCKED"
    };
}

/// How it is locked for a tenant alone.
macro_rules! waiting {
    () => {
        "FOR SHARE"
    };
}

/// One statement: it commits by itself where no lane and no midnight needs more.
///
/// The tenants' rows are locked FOR SHARE, each once, before anything is stored: a write of configuration (which may
/// delete the destination that an event goes to) waits for this commit, or is seen by it. Events of a tenant whose row is
/// being written are left out. A vendor's id is looked up as a range with an order, which only the index of its day has:
/// for an equality the planner may as well walk through the day's uids, if it believes it small. `IS TRUE` keeps a test a
/// hashed lookup: as a plain `IN` it would become a join, whose plan follows the statistics.
macro_rules! accept {
    ($lock:ident) => {
        concat!(
            "
WITH t AS MATERIALIZED (
    SELECT t.no, t.gen FROM unnest($27::bigint[]) AS u(no)
    CROSS JOIN LATERAL (SELECT t.no, t.gen FROM tenant t WHERE t.no = u.no ",
            $lock!(),
            ") t),
x AS MATERIALIZED (
    SELECT u.* FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::uuid[], $5::uuid[], $6::text[], $7::text[],
            $8::bigint[], $9::bytea[], $10::smallint[], $11::bytea[], $12::bytea[], $13::int[], $14::uuid[], $15::uuid[])
        AS u(uid, tenant, gen, idh, digest, id, type, at, route, origin, head, payload, payload_bytes, low, high)
    LEFT JOIN LATERAL (
        SELECT p.uid FROM event p
        WHERE p.idh >= u.idh AND p.idh <= u.idh AND p.uid >= u.low AND p.uid < u.high ORDER BY p.idh LIMIT 1
    ) before ON true
    WHERE ((u.tenant, u.gen) IN (SELECT t.no, t.gen FROM t)) IS TRUE AND before.uid IS NULL),
n AS (
    INSERT INTO event (uid, tenant, idh, digest, id, type, at, route, origin, head, payload, payload_bytes)
    SELECT uid, tenant, idh, digest, id, type, at, route, origin, head, payload, payload_bytes FROM x
    ON CONFLICT DO NOTHING RETURNING uid),
w AS (
    INSERT INTO work (event, destination, run, tenant, due, lane, seq, origin, made_at, bytes)
    SELECT m.event, m.destination, 0, m.tenant, m.due, m.lane, m.seq, m.origin, m.due, m.bytes
    FROM unnest($16::uuid[], $17::bigint[], $18::bigint[], $19::bigint[], $20::uuid[], $21::bigint[], $22::smallint[],
            $23::int[])
        AS m(event, destination, tenant, due, lane, seq, origin, bytes)
    WHERE (m.event IN (SELECT n.uid FROM n)) IS TRUE
    ON CONFLICT DO NOTHING),
f AS (
    INSERT INTO fanout (event, tenant, after, lanes)
    SELECT m.event, m.tenant, 0, m.lanes FROM unnest($24::uuid[], $25::bigint[], $26::bytea[]) AS m(event, tenant, lanes)
    WHERE (m.event IN (SELECT n.uid FROM n)) IS TRUE
    ON CONFLICT DO NOTHING)
SELECT uid FROM n"
        )
    };
}

const ACCEPT: &str = accept!(skipping);
const ACCEPT_PATIENTLY: &str = accept!(waiting);

/// What became of events that the statement did not insert.
const WHY: &str = "
SELECT u.uid AS asked, own.uid IS NOT NULL AS stored, first.uid, first.id, first.digest, first.route,
    t.gen = u.gen AS current
FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::uuid[], $5::uuid[], $6::bigint[])
    AS u(uid, tenant, idh, low, high, gen)
LEFT JOIN LATERAL (
    SELECT e.uid FROM event e WHERE e.uid >= u.uid AND e.uid <= u.uid ORDER BY e.uid LIMIT 1
) own ON true
LEFT JOIN LATERAL (
    SELECT e.uid, e.id, e.digest, e.route FROM event e
    WHERE e.idh >= u.idh AND e.idh <= u.idh AND e.uid >= u.low AND e.uid < u.high ORDER BY e.idh LIMIT 1
) first ON true
LEFT JOIN LATERAL (SELECT t.gen FROM tenant t WHERE t.no = u.tenant LIMIT 1) t ON true";

/// Tenants first, as a write of configuration does; then the destinations, of tenants that are locked now, in the order
/// of their numbers. It also answers which tenants are locked (`seq` is null).
macro_rules! reserve {
    ($lock:ident) => {
        concat!(
            "
WITH t AS MATERIALIZED (
    SELECT t.no FROM unnest($1::bigint[]) AS u(no)
    CROSS JOIN LATERAL (SELECT t.no FROM tenant t WHERE t.no = u.no ",
            $lock!(),
            ") t),
o AS (
    INSERT INTO ordered (destination, seq)
    SELECT r.destination, r.n FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS r(destination, n, tenant)
    WHERE (r.tenant IN (SELECT t.no FROM t)) IS TRUE
    ON CONFLICT (destination) DO UPDATE SET seq = ordered.seq + EXCLUDED.seq
    RETURNING destination, seq)
SELECT o.destination AS no, o.seq FROM o UNION ALL SELECT t.no, NULL FROM t"
        )
    };
}

const RESERVE: &str = reserve!(skipping);
const RESERVE_PATIENTLY: &str = reserve!(waiting);

const TENANTS: &str = "
SELECT t.no FROM unnest($1::bigint[]) AS u(no)
CROSS JOIN LATERAL (SELECT t.no FROM tenant t WHERE t.no = u.no FOR SHARE) t";

/// Whether a write of a tenant's configuration is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Locks {
    Skip,
    Wait,
}

#[async_trait]
impl Accept for PostgresStore {
    async fn accept(&self, batch: &[NewEvent]) -> Result<Vec<Accepted>, StoreError> {
        self.engine_write(self.accept_all(batch, Locks::Skip)).await
    }

    async fn accept_patiently(&self, batch: &[NewEvent]) -> Result<Vec<Accepted>, StoreError> {
        self.engine_write(self.accept_all(batch, Locks::Wait)).await
    }
}

impl PostgresStore {
    async fn accept_all(&self, batch: &[NewEvent], locks: Locks) -> Result<Vec<Accepted>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let plan = Plan::new(batch);
        let stored = match self.store(&plan, locks).await {
            Err(StoreError::NotFound(NO_PARTITION)) => {
                self.ensure_days(plan.days()).await?;
                self.store(&plan, locks).await?
            }
            other => other?,
        };
        // The batch is durable by now: a failure from here on must not read as "nothing was stored".
        let why = self.why(&plan, &stored).await.map_err(|error| StoreError::Unknown(error.to_string()))?;
        Ok(plan.answers(&stored, &why))
    }

    async fn store(&self, plan: &Plan<'_>, locks: Locks) -> Result<BTreeSet<EventUid>, StoreError> {
        let midnight = plan.midnight_locks();
        if midnight.is_empty() && !plan.has_lanes() {
            let rows = insert(&mut *self.engine().await?, plan, &BTreeMap::new(), locks).await.commits()?;
            return uids(&rows);
        }
        let mut transaction = self.engine_begin().await?;
        if !midnight.is_empty() {
            if locks == Locks::Wait {
                lock_tenants(&mut transaction, plan).await?;
            }
            sqlx::query("SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) AS u(k)")
                .bind(midnight)
                .execute(&mut *transaction)
                .await
                .map_err(undone)?;
        }
        let rows = if plan.has_lanes() {
            let Reserved { tenants, last } = reserve(&mut transaction, plan, locks).await?;
            insert(&mut transaction, &plan.of(&tenants), &last, locks).await.map_err(undone)?
        } else {
            insert(&mut transaction, plan, &BTreeMap::new(), locks).await.map_err(undone)?
        };
        let stored = uids(&rows)?;
        commit(transaction).await?;
        Ok(stored)
    }

    async fn why(&self, plan: &Plan<'_>, stored: &BTreeSet<EventUid>) -> Result<BTreeMap<EventUid, Why>, StoreError> {
        let open: Vec<_> = plan.firsts().filter(|event| !stored.contains(&event.uid)).collect();
        if open.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows = sqlx::query(WHY)
            .bind(open.iter().map(|e| e.uid.0).collect::<Vec<_>>())
            .bind(open.iter().map(|e| e.tenant.0).collect::<Vec<_>>())
            .bind(open.iter().map(|e| e.idh.map(Uuid::from_bytes)).collect::<Vec<_>>())
            .bind(open.iter().map(|e| plan::low(e)).collect::<Vec<_>>())
            .bind(open.iter().map(|e| plan::high(e)).collect::<Vec<_>>())
            .bind(open.iter().map(|e| e.generation).collect::<Vec<_>>())
            .fetch_all(&mut *self.engine().await?)
            .await
            .map_err(undone)?;
        rows.iter().map(|row| Ok((EventUid(get(row, "asked")?), why_of(row)?))).collect()
    }
}

/// Before any lock on a vendor's id: who waits for a tenant must hold nothing that others' batches wait for.
async fn lock_tenants(connection: &mut PgConnection, plan: &Plan<'_>) -> Result<(), StoreError> {
    sqlx::query(TENANTS).bind(plan.tenants()).execute(connection).await.map(|_| ()).map_err(undone)
}

async fn insert(
    connection: &mut PgConnection,
    plan: &Plan<'_>,
    last: &BTreeMap<i64, i64>,
    locks: Locks,
) -> Result<Vec<PgRow>, sqlx::Error> {
    let (events, work, fanout) = (plan.event_columns(), plan.work_columns(last), plan.fanout_columns());
    sqlx::query(if locks == Locks::Skip { ACCEPT } else { ACCEPT_PATIENTLY })
        .bind(events.uid)
        .bind(events.tenant)
        .bind(events.generation)
        .bind(events.idh)
        .bind(events.digest)
        .bind(events.id)
        .bind(events.event_type)
        .bind(events.at)
        .bind(events.route)
        .bind(events.origin)
        .bind(events.head)
        .bind(events.payload)
        .bind(events.payload_bytes)
        .bind(events.low)
        .bind(events.before)
        .bind(work.event)
        .bind(work.destination)
        .bind(work.tenant)
        .bind(work.due)
        .bind(work.lane)
        .bind(work.seq)
        .bind(work.origin)
        .bind(work.bytes)
        .bind(fanout.event)
        .bind(fanout.tenant)
        .bind(fanout.lanes)
        .bind(plan.tenants())
        .fetch_all(connection)
        .await
}

/// What a batch with lanes has before it is stored.
struct Reserved {
    /// Tenants that are locked. What is of others must not be stored: it has no places.
    tenants: BTreeSet<i64>,
    /// The last seq of each destination.
    last: BTreeMap<i64, i64>,
}

/// Takes places from each destination that keeps an order; its row stays locked until the commit, so that seq order is
/// commit order. An event that is not stored after all leaves a gap.
async fn reserve(connection: &mut PgConnection, plan: &Plan<'_>, locks: Locks) -> Result<Reserved, StoreError> {
    let lanes = plan.lane_columns();
    let rows = sqlx::query(if locks == Locks::Skip { RESERVE } else { RESERVE_PATIENTLY })
        .bind(plan.tenants())
        .bind(lanes.destination)
        .bind(lanes.count)
        .bind(lanes.tenant)
        .fetch_all(connection)
        .await
        .map_err(undone)?;
    let mut reserved = Reserved { tenants: BTreeSet::new(), last: BTreeMap::new() };
    for row in &rows {
        let no = get(row, "no")?;
        match get::<Option<i64>>(row, "seq")? {
            Some(seq) => _ = reserved.last.insert(no, seq),
            None => _ = reserved.tenants.insert(no),
        }
    }
    Ok(reserved)
}

fn uids(rows: &[PgRow]) -> Result<BTreeSet<EventUid>, StoreError> {
    rows.iter().map(|row| get(row, "uid").map(EventUid)).collect()
}

fn why_of(row: &PgRow) -> Result<Why, StoreError> {
    if get(row, "stored")? {
        return Ok(Why::Stored);
    }
    match get::<Option<bool>>(row, "current")? {
        None => return Ok(Why::NoTenant),
        Some(false) => return Ok(Why::Stale),
        Some(true) => {}
    }
    // Its tenant was being written when it came, and that was taken back, or goes on.
    let Some(uid) = get::<Option<Uuid>>(row, "uid")? else { return Ok(Why::Busy) };
    let route = Route::decode(row.try_get("route").map_err(undone)?).map_err(|e| StoreError::Damaged(e.to_string()))?;
    Ok(Why::Duplicate(FirstEvent {
        uid: EventUid(uid),
        id: get(row, "id")?,
        digest: get::<Uuid>(row, "digest")?.into_bytes(),
        deliveries: u32::try_from(route.matched().count()).unwrap_or(u32::MAX),
    }))
}
