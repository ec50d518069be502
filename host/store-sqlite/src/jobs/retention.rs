//! Expiry and retention: what is kept no longer ends, then goes.

use crate::codec::{blob, first_uid};
use crate::error::Res;
use crate::work::queue::{COLUMNS, end_work, read_row};
use railhead_model::{End, Timestamp};
use railhead_store::WorkRow;
use railhead_store::jobs::{STEP, Stepped};
use sqlx::sqlite::SqliteConnection;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Rows that one step deletes at most.
const ROWS: i64 = 1_000;

/// What belongs to an event, then the event itself: while it is there, a step is left to do.
pub(super) const DELETES: [&str; 6] = [
    "DELETE FROM attempt WHERE rowid IN (SELECT rowid FROM attempt WHERE event < ? ORDER BY event LIMIT ?)",
    "DELETE FROM transcript WHERE rowid IN (SELECT rowid FROM transcript WHERE event < ? ORDER BY event LIMIT ?)",
    "DELETE FROM delivery WHERE rowid IN (SELECT rowid FROM delivery WHERE event < ? ORDER BY event LIMIT ?)",
    "DELETE FROM work WHERE (event, destination, run) IN
     (SELECT event, destination, run FROM work WHERE event < ? ORDER BY event, destination, run LIMIT ?)",
    "DELETE FROM fanout WHERE event IN (SELECT event FROM fanout WHERE event < ? ORDER BY event LIMIT ?)",
    "DELETE FROM event WHERE rowid IN (SELECT rowid FROM event WHERE uid < ? ORDER BY uid LIMIT ?)",
];

pub(super) async fn expire(connection: &mut SqliteConnection, before: Timestamp, now: Timestamp) -> Res<Stepped> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        format!("SELECT {COLUMNS} FROM work WHERE event < ? ORDER BY event, destination, run LIMIT ?")
    });
    let bound = first_uid(before);
    let query = sqlx::query(SQL.as_str()).bind(blob(&bound.0)).bind(STEP as i64);
    let found = query.fetch_all(&mut *connection).await?;
    let rows: Res<Vec<WorkRow>> = found.iter().map(|row| Ok(read_row(row)?.row)).collect();
    let rows = rows?;
    end_work(connection, &rows, End::Expired, "expired", now).await?;
    let hints: BTreeSet<_> = rows.iter().map(|row| row.key.destination).collect();
    let left = "SELECT EXISTS (SELECT 1 FROM work WHERE event < ?)";
    let left: i64 = sqlx::query_scalar(left).bind(blob(&bound.0)).fetch_one(connection).await?;
    Ok(Stepped { destinations: hints.into_iter().collect(), rows: rows.len(), more: left != 0 })
}

pub(super) async fn delete(connection: &mut SqliteConnection, before: Timestamp) -> Res<Stepped> {
    let bound = first_uid(before);
    let mut room = ROWS;
    for sql in DELETES {
        let query = sqlx::query(sql).bind(blob(&bound.0)).bind(room);
        room -= query.execute(&mut *connection).await?.rows_affected() as i64;
        if room <= 0 {
            break;
        }
    }
    let left = "SELECT EXISTS (SELECT 1 FROM event WHERE uid < ?)";
    let left: i64 = sqlx::query_scalar(left).bind(blob(&bound.0)).fetch_one(connection).await?;
    Ok(Stepped { destinations: Vec::new(), rows: (ROWS - room) as usize, more: left != 0 })
}
