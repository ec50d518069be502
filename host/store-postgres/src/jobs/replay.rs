//! Replay: ended deliveries are delivered again, in their original order.

use crate::connect::{PostgresStore, commit};
use crate::error::{Commits, undone};
use crate::history::walk::{self, Way};
use crate::rows::{get, int, json, key, numbered, time, time_opt, to_json};
use railhead_model::{DeliveryKey, JobId, Origin, TenantNo, Timestamp};
use railhead_store::StoreError;
use railhead_store::history::MAX_EXAMINED;
use railhead_store::jobs::{JobState, MAX_OPEN, MAX_RUNNING, NewReplay, Replay, STEP, Stepped};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection};
use std::collections::BTreeSet;
use std::time::Duration;

const SELECT: &str = "SELECT id, tenant, filter::text AS filter, state, examined, created, created_at, ended_at, event,
    destination, run FROM job";

/// One with something to do that no other host steps right now. Tenants, and each one's replays, take turns, scattered by
/// the time (`$2`): one whose step fails, however often, holds up no other.
const CLAIM: &str = "
WITH turns AS MATERIALIZED (
    SELECT id FROM job WHERE state = 0 ORDER BY hashint8extended(tenant, $2), uuid_hash_extended(id, $2))
SELECT j.id, j.tenant, j.filter::text AS filter, j.state, j.examined, j.created, j.created_at, j.ended_at, j.event,
    j.destination, j.run, o.open
FROM turns
JOIN job j ON j.id = turns.id AND j.state = 0
CROSS JOIN LATERAL (SELECT count(*) AS open FROM (
    SELECT 1 FROM work w WHERE w.job >= j.id AND w.job <= j.id ORDER BY w.job LIMIT $1) x) o
WHERE o.open < $1
LIMIT 1 FOR UPDATE OF j SKIP LOCKED";

/// First key of the advisory locks of [`start`]; the second is the tenant.
const STARTS: i32 = 0x7265_706c;

/// How often a start is tried while others of its tenant are counted, and the pause between, in milliseconds. No connection
/// is held meanwhile: however many somebody starts at once, the desk's few connections stay everybody's.
const TRIES: u32 = 4;
const PAUSE_MS: u64 = 50;

/// Counted under a lock of the tenant's own: hosts that start replays at once count each other's. Only those that run are
/// looked at, for which there is an index.
const START: &str = "
INSERT INTO job (id, tenant, filter, state, event, destination, run, examined, created, created_at)
SELECT $1, $2, $3::json, 0, $4, $5, 0, 0, 0, $6
WHERE (SELECT count(*) FROM (SELECT 1 FROM job WHERE state = 0 AND tenant = $2 LIMIT $7) r) < $7
ON CONFLICT DO NOTHING";

pub async fn start(store: &PostgresStore, new: &NewReplay) -> Result<(), StoreError> {
    for left in (0..TRIES).rev() {
        if try_start(store, new).await? {
            return Ok(());
        }
        if left > 0 {
            tokio::time::sleep(Duration::from_millis(PAUSE_MS)).await;
        }
    }
    Err(StoreError::Unavailable("other replays of this tenant are being started".to_owned()))
}

/// False: another one of this tenant is being started at this moment.
async fn try_start(store: &PostgresStore, new: &NewReplay) -> Result<bool, StoreError> {
    let mut transaction = store.desk_begin().await?;
    let free: bool = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1, ($2 & 2147483647)::int)")
        .bind(STARTS)
        .bind(new.tenant.0)
        .fetch_one(&mut *transaction)
        .await
        .map_err(undone)?;
    if !free {
        return Ok(false);
    }
    sqlx::query(START)
        .bind(new.id.0)
        .bind(new.tenant.0)
        .bind(to_json(&new.filter)?)
        .bind(walk::FIRST.event.0)
        .bind(walk::FIRST.destination.0)
        .bind(new.at.0)
        .bind(MAX_RUNNING as i64)
        .execute(&mut *transaction)
        .await
        .map_err(undone)?;
    let is_there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM job WHERE id = $1)")
        .bind(new.id.0)
        .fetch_one(&mut *transaction)
        .await
        .map_err(undone)?;
    if !is_there {
        return Err(StoreError::TooManyReplays);
    }
    commit(transaction).await?;
    Ok(true)
}

pub async fn one(store: &PostgresStore, tenant: TenantNo, id: JobId) -> Result<Option<Replay>, StoreError> {
    let row = sqlx::query(AssertSqlSafe(format!("{SELECT} WHERE id = $1 AND tenant = $2")))
        .bind(id.0)
        .bind(tenant.0)
        .fetch_optional(&mut *store.reader(tenant).await?)
        .await
        .map_err(undone)?;
    row.as_ref().map(read).transpose()
}

pub async fn list(
    store: &PostgresStore,
    tenant: TenantNo,
    before: Option<JobId>,
    limit: u32,
) -> Result<Vec<Replay>, StoreError> {
    let rows = sqlx::query(AssertSqlSafe(format!("{SELECT} WHERE tenant = $1 AND id < $2 ORDER BY id DESC LIMIT $3")))
        .bind(tenant.0)
        .bind(before.map_or(uuid::Uuid::max(), |id| id.0))
        .bind(i64::from(limit))
        .fetch_all(&mut *store.reader(tenant).await?)
        .await
        .map_err(undone)?;
    rows.iter().map(read).collect()
}

pub async fn cancel(store: &PostgresStore, tenant: TenantNo, id: JobId, now: Timestamp) -> Result<bool, StoreError> {
    let done = sqlx::query("UPDATE job SET state = $3, ended_at = $4 WHERE id = $1 AND tenant = $2 AND state = 0")
        .bind(id.0)
        .bind(tenant.0)
        .bind(JobState::Cancelled as i16)
        .bind(now.0)
        .execute(&mut *store.desk().await?)
        .await
        .commits()?;
    Ok(done.rows_affected() == 1)
}

pub async fn step(store: &PostgresStore, now: Timestamp) -> Result<Stepped, StoreError> {
    let mut transaction = store.desk_begin().await?;
    let query = sqlx::query(CLAIM).bind(MAX_OPEN as i64).bind(now.0);
    let claimed = query.fetch_optional(&mut *transaction).await.map_err(undone)?;
    let Some(row) = claimed else { return Ok(Stepped::default()) };
    let mut replay = read(&row)?;
    let open = usize::try_from(get::<i64>(&row, "open")?).unwrap_or(MAX_OPEN);
    crate::work::lock_runs(&mut transaction, replay.tenant).await?;
    let (cursor, taken) = pick(&mut transaction, &mut replay, key(&row)?, STEP.min(MAX_OPEN - open)).await?;
    let made =
        crate::work::again(&mut transaction, replay.tenant, &taken, Origin::Replay, Some(replay.id), now).await?;
    replay.created += made.len() as u64;
    save(&mut transaction, &replay, cursor, now).await?;
    let more: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM job WHERE state = 0)")
        .fetch_one(&mut *transaction)
        .await
        .map_err(undone)?;
    commit(transaction).await?;
    let destinations: BTreeSet<_> = made.iter().map(|key| key.destination).collect();
    Ok(Stepped { destinations: destinations.into_iter().collect(), rows: made.len(), more })
}

/// Walks on from the cursor until `room` deliveries are taken, enough are examined, or there are no more.
async fn pick(
    connection: &mut PgConnection,
    replay: &mut Replay,
    mut cursor: DeliveryKey,
    room: usize,
) -> Result<(Option<DeliveryKey>, Vec<DeliveryKey>), StoreError> {
    let (mut taken, mut examined) = (Vec::new(), 0);
    loop {
        let step = walk::step(connection, Way::Forth, replay.tenant, &replay.filter, cursor).await?;
        for row in &step.rows {
            if taken.len() == room {
                return Ok((Some(cursor), taken));
            }
            cursor = row.key;
            examined += 1;
            replay.examined += 1;
            if row.ended_at.is_some_and(|at| at <= replay.created_at) && replay.filter.matches(row) {
                taken.push(row.key);
            }
        }
        examined += step.empty;
        match step.next {
            Some(next) if examined < MAX_EXAMINED => cursor = next,
            next => return Ok((next, taken)),
        }
    }
}

/// Without a cursor it is completed.
async fn save(
    connection: &mut PgConnection,
    replay: &Replay,
    cursor: Option<DeliveryKey>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let place = cursor.unwrap_or(walk::LAST);
    let state = if cursor.is_some() { JobState::Running } else { JobState::Completed };
    sqlx::query(
        "UPDATE job SET event = $2, destination = $3, run = $4, examined = $5, created = $6, state = $7, ended_at = $8
         WHERE id = $1",
    )
    .bind(replay.id.0)
    .bind(place.event.0)
    .bind(place.destination.0)
    .bind(int(place.run))
    .bind(i64::try_from(replay.examined).unwrap_or(i64::MAX))
    .bind(i64::try_from(replay.created).unwrap_or(i64::MAX))
    .bind(state as i16)
    .bind(cursor.is_none().then_some(now.0))
    .execute(connection)
    .await
    .map(|_| ())
    .map_err(undone)
}

fn read(row: &PgRow) -> Result<Replay, StoreError> {
    let state = |number| match number {
        0 => Some(JobState::Running),
        1 => Some(JobState::Completed),
        2 => Some(JobState::Cancelled),
        _ => None,
    };
    Ok(Replay {
        id: JobId(get(row, "id")?),
        tenant: TenantNo(get(row, "tenant")?),
        filter: json(row, "filter")?,
        state: numbered(row, "state", state)?,
        examined: u64::try_from(get::<i64>(row, "examined")?).unwrap_or_default(),
        created: u64::try_from(get::<i64>(row, "created")?).unwrap_or_default(),
        created_at: time(row, "created_at")?,
        ended_at: time_opt(row, "ended_at")?,
    })
}
