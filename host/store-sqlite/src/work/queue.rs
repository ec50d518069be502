//! The moves of the queue: make, load, save, end.

use crate::codec::{Cells, blob};
use crate::error::Res;
use crate::multi::{Args, Multi};
use railhead_model::{DeliveryKey, DestinationNo, End, JobId, Origin, TenantNo, Timestamp};
use railhead_store::WorkRow;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The columns that [`read_row`] reads.
pub(crate) const COLUMNS: &str = "event, destination, run, tenant, due, attempts, tries, since, rev, lane, seq, origin, previous, job, made_at, bytes";

/// A work row with what only history needs.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub row: WorkRow,
    pub made_at: Timestamp,
}

/// What a new delivery starts with.
#[derive(Clone, Debug)]
pub(crate) struct NewWork {
    pub key: DeliveryKey,
    pub tenant: TenantNo,
    pub lane: Option<[u8; 16]>,
    pub origin: Origin,
    pub previous: Option<u32>,
    pub job: Option<JobId>,
    pub due: Timestamp,
    pub bytes: u32,
}

static LOAD_WORK: LazyLock<Multi> = LazyLock::new(|| {
    let columns = COLUMNS.split(", ").map(|column| format!("w.{column}")).collect::<Vec<_>>().join(", ");
    let tail = format!(
        ") SELECT {columns} FROM asked a CROSS JOIN work w
         ON w.event = a.event AND w.destination = a.destination AND w.run = a.run"
    );
    Multi::new("WITH asked (event, destination, run) AS (VALUES", 3, &tail)
});

/// Inserts a row, or replaces the changeable columns of the one with its key.
static SAVE_WORK: LazyLock<Multi> = LazyLock::new(|| {
    let tail = "ON CONFLICT (event, destination, run) DO UPDATE SET due = excluded.due, attempts = excluded.attempts,
                tries = excluded.tries, since = excluded.since, rev = excluded.rev, lane = excluded.lane,
                seq = excluded.seq";
    Multi::new(&format!("INSERT INTO work ({COLUMNS}) VALUES"), 16, tail)
});

pub(crate) static DELETE_WORK: LazyLock<Multi> =
    LazyLock::new(|| Multi::new("DELETE FROM work WHERE (event, destination, run) IN (VALUES", 3, ")"));

static INSERT_ENDS: LazyLock<Multi> = LazyLock::new(|| {
    // The rows are read from the queue, so that lanes, origins and times need not travel.
    let tail = ") INSERT INTO delivery (event, destination, run, tenant, state, code, attempts, tries, at, lane, origin,
                previous, job, made_at)
                SELECT w.event, w.destination, w.run, w.tenant, a.state, a.code, w.attempts, w.tries, a.at, w.lane,
                w.origin, w.previous, w.job, w.made_at
                FROM asked a CROSS JOIN work w ON w.event = a.event AND w.destination = a.destination AND w.run = a.run";
    Multi::new("WITH asked (event, destination, run, state, code, at) AS (VALUES", 6, tail)
});

/// Makes unfinished deliveries; those with a lane join at the tail of their destination's order, as they come.
pub(crate) async fn insert_work(connection: &mut SqliteConnection, new: Vec<NewWork>) -> Res<()> {
    let mut laned: BTreeMap<DestinationNo, i64> = BTreeMap::new();
    for work in new.iter().filter(|work| work.lane.is_some()) {
        *laned.entry(work.key.destination).or_default() += 1;
    }
    for (destination, count) in &mut laned {
        *count = take_seqs(connection, *destination, *count).await?;
    }
    let mut rows: Vec<Stored> = new.into_iter().map(|work| first_row(work, &mut laned)).collect();
    rows.sort_by_key(|stored| stored.row.key); // in the order of the index
    save_work(connection, &rows.iter().collect::<Vec<_>>()).await
}

fn first_row(work: NewWork, next_seqs: &mut BTreeMap<DestinationNo, i64>) -> Stored {
    let NewWork { key, tenant, lane, origin, previous, job, due, bytes } = work;
    let seq = match (lane, next_seqs.get_mut(&key.destination)) {
        (Some(_), Some(next)) => {
            *next += 1;
            *next - 1
        }
        _ => 0,
    };
    let (attempts, tries, since, rev) = (0, 0, None, 0);
    let row = WorkRow { key, tenant, due, attempts, tries, since, rev, lane, seq, origin, previous, job, bytes };
    Stored { row, made_at: due }
}

/// Takes the next `count` numbers of a destination's order and answers with the first.
pub(crate) async fn take_seqs(connection: &mut SqliteConnection, destination: DestinationNo, count: i64) -> Res<i64> {
    let sql = "INSERT INTO ordered (destination, seq) VALUES (?, ?)
               ON CONFLICT (destination) DO UPDATE SET seq = seq + excluded.seq RETURNING seq";
    let last: i64 = sqlx::query_scalar(sql).bind(destination.0).bind(count).fetch_one(connection).await?;
    Ok(last - count + 1)
}

/// The rows of these keys that wait.
pub(crate) async fn load_work(
    connection: &mut SqliteConnection,
    keys: &[DeliveryKey],
) -> Res<BTreeMap<DeliveryKey, Stored>> {
    let rows = LOAD_WORK.fetch(connection, keys, |args, key| args.push_key(*key)).await?;
    let keyed = |row| {
        let stored = read_row(row)?;
        Ok((stored.row.key, stored))
    };
    rows.iter().map(keyed).collect()
}

/// Inserts or replaces rows.
pub(crate) async fn save_work(connection: &mut SqliteConnection, rows: &[&Stored]) -> Res<()> {
    SAVE_WORK.execute(connection, rows, |args, stored| bind_row(args, stored)).await?;
    Ok(())
}

/// Ends waiting deliveries without an attempt.
pub(crate) async fn end_work(
    connection: &mut SqliteConnection,
    rows: &[WorkRow],
    end: End,
    code: &'static str,
    at: Timestamp,
) -> Res<()> {
    INSERT_ENDS
        .execute(connection, rows, |args, row| {
            args.push_key(row.key);
            args.push(end as i32).push(code).push(at.0);
        })
        .await?;
    DELETE_WORK.execute(connection, rows, |args, row| args.push_key(row.key)).await?;
    Ok(())
}

/// Reads [`COLUMNS`].
pub(crate) fn read_row(row: &SqliteRow) -> Res<Stored> {
    let mut cells = Cells::new(row);
    let mut row = WorkRow {
        key: cells.key()?,
        tenant: cells.tenant()?,
        due: cells.time()?,
        attempts: cells.count()?,
        tries: cells.count()?,
        since: cells.maybe_time()?,
        rev: cells.count()?,
        lane: cells.maybe_array()?,
        seq: cells.int()?,
        origin: cells.origin()?,
        previous: cells.maybe_run()?,
        job: cells.maybe_job()?,
        bytes: 0,
    };
    let made_at = cells.time()?;
    row.bytes = cells.count()?;
    Ok(Stored { row, made_at })
}

fn bind_row(args: &mut Args, Stored { row, made_at }: &Stored) {
    args.push_key(row.key);
    args.push(row.tenant.0).push(row.due.0).push(i64::from(row.attempts)).push(i64::from(row.tries));
    args.push(row.since.map(|since| since.0)).push(i64::from(row.rev));
    args.push(row.lane.as_ref().map(<[u8; 16]>::as_slice)).push(row.seq).push(row.origin as i32);
    args.push(row.previous.map(i64::from)).push(row.job.as_ref().map(|job| blob(&job.0))).push(made_at.0);
    args.push(i64::from(row.bytes));
}

#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static str> {
    [&LOAD_WORK, &SAVE_WORK, &DELETE_WORK, &INSERT_ENDS].into_iter().flat_map(|multi| multi.statements()).collect()
}
