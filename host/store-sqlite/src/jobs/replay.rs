//! Replay: a durable job that delivers ended deliveries again.

use crate::codec::{Cells, blob, json};
use crate::error::Res;
use crate::history::rows::{ENDED, read_ended};
use crate::work::make_again;
use railhead_model::{DeliveryKey, DestinationNo, EventUid, JobId, Origin, TenantNo, Timestamp};
use railhead_store::StoreError;
use railhead_store::history::DeliveryRow;
use railhead_store::jobs::{JobState, MAX_OPEN, MAX_RUNNING, NewReplay, Replay, STEP, Stepped};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use std::collections::BTreeSet;
use std::sync::LazyLock;
use uuid::Uuid;

/// Ended deliveries that one step examines at most: the writer waits for it.
const EXAMINED: usize = 1_000;

const COLUMNS: &str = "id, tenant, filter, state, examined, created, created_at, ended_at,
                       cursor_event, cursor_destination, cursor_run";

/// Ended deliveries of a tenant after a place, oldest first, with whether each is the newest run of its pair.
pub(super) static AFTER: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {ENDED},
         d.run >= coalesce((SELECT max(run) FROM work w WHERE w.event = d.event AND w.destination = d.destination), 0)
         AND d.run = (SELECT max(run) FROM delivery l WHERE l.event = d.event AND l.destination = d.destination)
         FROM event e CROSS JOIN delivery d ON d.event = e.uid
         LEFT JOIN attempt a ON d.n IS NULL AND a.event = d.event AND a.destination = d.destination AND a.run = d.run
           AND a.n = (SELECT max(n) FROM attempt x WHERE x.event = d.event AND x.destination = d.destination
                      AND x.run = d.run)
         WHERE e.tenant = ?1 AND e.uid >= ?2 AND (d.event, d.destination, d.run) > (?2, ?3, ?4)
         ORDER BY e.uid, d.destination, d.run LIMIT ?5"
    )
});

/// A replay with its place.
struct Job {
    replay: Replay,
    cursor: DeliveryKey,
}

pub(super) async fn start(connection: &mut SqliteConnection, new: NewReplay) -> Res<()> {
    let sql = "SELECT count(*) FROM replay WHERE state = 0 AND tenant = ?1
               AND NOT EXISTS (SELECT 1 FROM replay WHERE id = ?2)";
    let query = sqlx::query_scalar(sql).bind(new.tenant.0).bind(blob(&new.id.0));
    let running: i64 = query.fetch_one(&mut *connection).await?;
    if running >= MAX_RUNNING as i64 {
        return Err(StoreError::TooManyReplays.into());
    }
    insert(connection, new).await
}

async fn insert(connection: &mut SqliteConnection, new: NewReplay) -> Res<()> {
    let sql = "INSERT OR IGNORE INTO replay (id, tenant, filter, state, examined, created, created_at)
               VALUES (?, ?, ?, 0, 0, 0, ?)";
    let query = sqlx::query(sql).bind(blob(&new.id.0)).bind(new.tenant.0).bind(json(&new.filter)?).bind(new.at.0);
    query.execute(connection).await?;
    Ok(())
}

pub(super) async fn one(connection: &mut SqliteConnection, tenant: TenantNo, id: JobId) -> Res<Option<Replay>> {
    static SQL: LazyLock<String> =
        LazyLock::new(|| format!("SELECT {COLUMNS} FROM replay WHERE id = ? AND tenant = ?"));
    let query = sqlx::query(SQL.as_str()).bind(blob(&id.0)).bind(tenant.0);
    let found = query.fetch_optional(connection).await?;
    found.map(|row| Ok(job(&row)?.replay)).transpose()
}

pub(super) async fn list(
    connection: &mut SqliteConnection,
    tenant: TenantNo,
    before: Option<JobId>,
    limit: u32,
) -> Res<Vec<Replay>> {
    static SQL: LazyLock<String> =
        LazyLock::new(|| format!("SELECT {COLUMNS} FROM replay WHERE tenant = ? AND id < ? ORDER BY id DESC LIMIT ?"));
    let before = before.map_or(Uuid::max(), |id| id.0);
    let query = sqlx::query(SQL.as_str()).bind(tenant.0).bind(blob(&before)).bind(i64::from(limit));
    let rows = query.fetch_all(connection).await?;
    rows.iter().map(|row| Ok(job(row)?.replay)).collect()
}

pub(super) async fn cancel(
    connection: &mut SqliteConnection,
    tenant: TenantNo,
    id: JobId,
    now: Timestamp,
) -> Res<bool> {
    let sql = "UPDATE replay SET state = 2, ended_at = ? WHERE id = ? AND tenant = ? AND state = 0";
    let query = sqlx::query(sql).bind(now.0).bind(blob(&id.0)).bind(tenant.0);
    Ok(query.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn step(connection: &mut SqliteConnection, now: Timestamp) -> Res<Stepped> {
    let sql = "SELECT DISTINCT tenant FROM replay WHERE state = 0 ORDER BY tenant";
    let mut tenants: Vec<i64> = sqlx::query_scalar(sql).fetch_all(&mut *connection).await?;
    let first = turn(now, tenants.len());
    tenants.rotate_left(first);
    for tenant in tenants.into_iter().take(TENANTS) {
        let query = sqlx::query(NEXT.as_str()).bind(tenant).bind(MAX_OPEN as i64 - 1);
        let Some(row) = query.fetch_optional(&mut *connection).await? else { continue };
        let job = job(&row)?;
        let open = open(connection, job.replay.id).await?;
        return step_one(connection, job, STEP.min(MAX_OPEN - open.min(MAX_OPEN)), now).await;
    }
    Ok(Stepped::default())
}

/// Tenants that one step looks at, should all their replays wait for deliveries to end.
const TENANTS: usize = 16;

/// A tenant's oldest replay that has room: one that waits for its deliveries to end holds nobody up.
static NEXT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {COLUMNS} FROM replay r WHERE state = 0 AND tenant = ?1
         AND NOT EXISTS (SELECT 1 FROM work w WHERE w.job = r.id LIMIT 1 OFFSET ?2)
         ORDER BY r.id LIMIT 1"
    )
});

/// Whose turn it is among so many tenants: scattered by the time, so that no place in the list is favoured.
fn turn(now: Timestamp, tenants: usize) -> usize {
    let mixed = (now.0 as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    (mixed as usize).checked_rem(tenants).unwrap_or(0)
}

/// Unfinished deliveries of a job, counted up to the bound.
async fn open(connection: &mut SqliteConnection, id: JobId) -> Res<usize> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM work WHERE job = ? LIMIT ?)";
    let query = sqlx::query_scalar(sql).bind(blob(&id.0)).bind(MAX_OPEN as i64);
    let count: i64 = query.fetch_one(connection).await?;
    Ok(count as usize)
}

async fn step_one(connection: &mut SqliteConnection, mut job: Job, room: usize, now: Timestamp) -> Res<Stepped> {
    let candidates = candidates(connection, &job).await?;
    let (mut hints, mut rows) = (BTreeSet::new(), 0);
    let mut through = candidates.len() < EXAMINED;
    for (row, newest) in candidates {
        if rows == room {
            through = false;
            break;
        }
        job.cursor = row.key;
        job.replay.examined += 1;
        let in_time = row.ended_at.is_some_and(|at| at <= job.replay.created_at);
        if newest
            && in_time
            && job.replay.filter.matches(&row)
            && make_again(connection, row.key, Origin::Replay, Some(job.replay.id), now).await?.is_some()
        {
            rows += 1;
            hints.insert(row.key.destination);
        }
    }
    job.replay.created += rows as u64;
    save(connection, &job, through.then_some(now)).await?;
    let running = "SELECT EXISTS (SELECT 1 FROM replay WHERE state = 0)";
    let running: i64 = sqlx::query_scalar(running).fetch_one(connection).await?;
    Ok(Stepped { destinations: hints.into_iter().collect(), rows, more: running != 0 })
}

async fn candidates(connection: &mut SqliteConnection, job: &Job) -> Res<Vec<(DeliveryRow, bool)>> {
    let DeliveryKey { event, destination, run } = job.cursor;
    let query = sqlx::query(AFTER.as_str()).bind(job.replay.tenant.0).bind(blob(&event.0)).bind(destination.0);
    let rows = query.bind(i64::from(run)).bind(EXAMINED as i64).fetch_all(connection).await?;
    let pair = |row| {
        let mut cells = Cells::new(row);
        Ok((read_ended(&mut cells)?, cells.flag()?))
    };
    rows.iter().map(pair).collect()
}

async fn save(connection: &mut SqliteConnection, job: &Job, completed: Option<Timestamp>) -> Res<()> {
    let sql = "UPDATE replay SET state = ?, ended_at = ?, examined = ?, created = ?, cursor_event = ?,
               cursor_destination = ?, cursor_run = ? WHERE id = ?";
    let state = if completed.is_some() { JobState::Completed } else { JobState::Running };
    let query = sqlx::query(sql).bind(state as i32).bind(completed.map(|at| at.0));
    let query = query.bind(job.replay.examined as i64).bind(job.replay.created as i64);
    let query = query.bind(blob(&job.cursor.event.0)).bind(job.cursor.destination.0).bind(i64::from(job.cursor.run));
    query.bind(blob(&job.replay.id.0)).execute(connection).await?;
    Ok(())
}

fn job(row: &SqliteRow) -> Res<Job> {
    let mut cells = Cells::new(row);
    let replay = Replay {
        id: JobId(cells.uuid()?),
        tenant: cells.tenant()?,
        filter: cells.json()?,
        state: cells.word(|number| match number {
            0 => Some(JobState::Running),
            1 => Some(JobState::Completed),
            2 => Some(JobState::Cancelled),
            _ => None,
        })?,
        examined: u64::from(cells.count()?),
        created: u64::from(cells.count()?),
        created_at: cells.time()?,
        ended_at: cells.maybe_time()?,
    };
    let event = cells.maybe_array()?.map_or(Uuid::nil(), Uuid::from_bytes);
    let destination: Option<i64> = cells.get()?;
    let run = cells.maybe_run()?.unwrap_or(0);
    let cursor = DeliveryKey { event: EventUid(event), destination: DestinationNo(destination.unwrap_or(0)), run };
    Ok(Job { replay, cursor })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, SqliteStore};
    use sqlx::Connection as _;
    use sqlx::sqlite::SqliteConnectOptions;

    /// A replay whose deliveries are all open.
    async fn fill(connection: &mut SqliteConnection, id: JobId) {
        let sql = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?2)
                   INSERT INTO work (event, destination, run, tenant, due, attempts, tries, rev, seq, origin, job, made_at)
                   SELECT ?1, n, 0, 1, 0, 0, 0, 0, 0, 0, ?1, 0 FROM n";
        let query = sqlx::query(sql).bind(blob(&id.0)).bind(MAX_OPEN as i64);
        query.execute(connection).await.expect("work");
    }

    #[tokio::test]
    async fn replays_that_wait_hold_nobody_up_and_tenants_take_turns() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.db");
        SqliteStore::open(&path, Options::default()).await.expect("a store").close().await;
        let options = SqliteConnectOptions::new().filename(&path);
        let mut connection = SqliteConnection::connect_with(&options).await.expect("a connection");
        let job = |n: u128| JobId(Uuid::from_u128(n));
        for n in 1..=103 {
            let tenant = TenantNo(if n <= 101 { 1 } else { n as i64 });
            let new = NewReplay { id: job(n), tenant, filter: Default::default(), at: Timestamp(1) };
            insert(&mut connection, new).await.expect("a replay");
        }
        for n in 1..=66 {
            fill(&mut connection, job(n)).await;
        }
        let mut completed = Vec::new();
        for now in 2..12 {
            step(&mut connection, Timestamp(now)).await.expect("a step");
            let sql = "SELECT id FROM replay WHERE state = 1 ORDER BY id";
            completed = sqlx::query_scalar::<_, Vec<u8>>(sql).fetch_all(&mut connection).await.expect("a read");
        }
        let has = |n| completed.iter().any(|id| id == blob(&job(n).0));
        assert_eq!(completed.len(), 10, "each step finds a replay with something to do");
        assert!(has(67) && has(102) && has(103), "the tenants take turns");
    }
}
