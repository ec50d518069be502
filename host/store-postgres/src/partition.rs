//! Day partitions: made ahead, dropped whole.

use crate::connect::{PostgresStore, commit};
use crate::error::undone;
use crate::rows::get;
use railhead_model::time::DAY_MS;
use railhead_model::{EventUid, Timestamp};
use railhead_store::StoreError;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

/// Tables that are partitioned by the event's UTC day. `event` comes last: a day that has it has all.
pub const TABLES: [&str; 4] = ["transcript", "attempt", "delivery", "event"];

/// Days that are made ahead of today.
const AHEAD: i32 = 3;

/// Held while partitions are made or dropped.
const LOCK: i64 = 0x7261_696c_6461_7973;

/// How a table's partition of a day stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaf {
    /// There is none.
    Missing,
    /// In use.
    Attached,
    /// A drop that was cut short while it waited for readers: rows of the day are refused.
    HalfDetached,
    /// A drop that was cut short after that.
    Detached,
}

impl PostgresStore {
    /// Makes the partitions of yesterday, today and the next three days, where they are missing. Call it at start and
    /// every few hours. Any host may; they wait for each other.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if a lock was not had within a second: try again.
    pub async fn ensure_partitions(&self, now: Timestamp) -> Result<(), StoreError> {
        let days = (now.day() - 1..=now.day() + AHEAD).collect();
        self.desk_write(self.ensure_days(days)).await
    }

    /// Makes the partitions of these UTC days.
    pub(crate) async fn ensure_days(&self, mut days: Vec<i32>) -> Result<(), StoreError> {
        days.sort_unstable();
        days.dedup();
        for day in days {
            let leaves = leaves(&mut *self.desk().await?, day).await?;
            // Its rows were to go: what is left of them is in the way of new ones.
            if leaves.iter().any(|leaf| matches!(leaf, Leaf::HalfDetached | Leaf::Detached)) {
                self.drop_day(day).await?;
            }
            if leaves.iter().any(|leaf| *leaf != Leaf::Attached) {
                self.make_day(day).await?;
            }
        }
        Ok(())
    }

    async fn make_day(&self, day: i32) -> Result<(), StoreError> {
        let mut transaction = self.desk_begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await.map_err(undone)?;
        sqlx::raw_sql("SET LOCAL lock_timeout = '1s'").execute(&mut *transaction).await.map_err(undone)?;
        // Another host may have made it while this one waited.
        for (table, leaf) in TABLES.into_iter().zip(leaves(&mut transaction, day).await?) {
            if leaf == Leaf::Missing {
                let sql = make_sql(table, day);
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *transaction).await.map_err(undone)?;
            }
        }
        commit(transaction).await
    }

    /// The oldest UTC day that still has a partition of events, be it one whose drop was cut short.
    pub(crate) async fn oldest_day(&self) -> Result<Option<i32>, StoreError> {
        let names: Vec<String> = sqlx::query_scalar(
            "SELECT c.relname::text FROM pg_class c WHERE c.relkind = 'r' AND c.relname ~ '^event_[0-9]{8}$' \
             AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'event'::regclass)",
        )
        .fetch_all(&mut *self.desk().await?)
        .await
        .map_err(undone)?;
        Ok(names.iter().filter_map(|name| day_of(name)).min())
    }

    /// Detaches and drops a day's partitions. What was cut short is finished: by a crash, or because a reader held the
    /// day for longer than this waits.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] while somebody reads the day: it goes at a later try.
    pub(crate) async fn drop_day(&self, day: i32) -> Result<(), StoreError> {
        let mut connection = self.aside().await?;
        sqlx::raw_sql("SET lock_timeout = '10s'").execute(&mut connection).await.map_err(undone)?;
        sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut connection).await.map_err(undone)?;
        // From here on whoever comes after waits behind it.
        sqlx::raw_sql("SET lock_timeout = '1s'").execute(&mut connection).await.map_err(undone)?;
        for table in TABLES {
            drop_leaf(&mut connection, table, day).await?;
        }
        connection.close().await.map_err(undone)
    }
}

/// The smallest uid of a UTC day: bound of its partitions.
pub fn day_start(day: i32) -> Uuid {
    uid_bound(Timestamp(i64::from(day) * DAY_MS)).0
}

/// No uid of `at` or later is smaller.
pub fn uid_bound(at: Timestamp) -> EventUid {
    let ms = u128::try_from(at.0).unwrap_or(0) & 0xffff_ffff_ffff;
    EventUid(Uuid::from_u128(ms << 80))
}

/// Reads the catalogue itself: `to_regclass` may answer from a cache that is older than a lock that was waited for.
const LEAVES: &str = "
SELECT t.name, c.oid IS NOT NULL AS there, i.inhdetachpending AS pending
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS t(name, leaf, ord)
JOIN pg_class p ON p.oid = t.name::regclass
LEFT JOIN pg_class c ON c.relname = t.leaf AND c.relnamespace = p.relnamespace
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND i.inhparent = p.oid
ORDER BY t.ord";

/// How a day stands, for each of [`TABLES`].
async fn leaves(connection: &mut PgConnection, day: i32) -> Result<Vec<Leaf>, StoreError> {
    let rows = sqlx::query(LEAVES)
        .bind(TABLES.map(str::to_owned).to_vec())
        .bind(TABLES.map(|table| leaf(table, day)).to_vec())
        .fetch_all(connection)
        .await
        .map_err(undone)?;
    let read = |row| {
        Ok(match (get(row, "there")?, get::<Option<bool>>(row, "pending")?) {
            (false, _) => Leaf::Missing,
            (true, Some(false)) => Leaf::Attached,
            (true, Some(true)) => Leaf::HalfDetached,
            (true, None) => Leaf::Detached,
        })
    };
    rows.iter().map(read).collect()
}

async fn drop_leaf(connection: &mut PgConnection, table: &str, day: i32) -> Result<(), StoreError> {
    let place = TABLES.iter().position(|name| *name == table).unwrap_or_default();
    let stands = leaves(connection, day).await?.get(place).copied();
    let how = match stands {
        Some(Leaf::Attached) => "CONCURRENTLY",
        Some(Leaf::HalfDetached) => "FINALIZE",
        _ => "",
    };
    let name = leaf(table, day);
    if !how.is_empty() {
        let sql = format!("ALTER TABLE {table} DETACH PARTITION {name} {how}");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await.map_err(undone)?;
    }
    sqlx::raw_sql(AssertSqlSafe(format!("DROP TABLE IF EXISTS {name}"))).execute(connection).await.map_err(undone)?;
    Ok(())
}

/// ATTACH takes only a light lock on its table, unlike CREATE … PARTITION OF; it adopts the indexes that LIKE made. LIKE
/// copies neither grants nor policies: a partition is read through its table only.
fn make_sql(table: &str, day: i32) -> String {
    let name = leaf(table, day);
    let unique = if table == "event" {
        format!("CREATE UNIQUE INDEX {name}_idh ON {name} (idh) WHERE idh IS NOT NULL;")
    } else {
        String::new()
    };
    format!(
        "CREATE TABLE {name} (LIKE {table} INCLUDING ALL); {unique}
         ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{}') TO ('{}');",
        day_start(day),
        day_start(day + 1),
    )
}

/// `event_20261123`.
fn leaf(table: &str, day: i32) -> String {
    let start = Timestamp(i64::from(day) * DAY_MS).to_string();
    let digits: String = start.chars().take(10).filter(char::is_ascii_digit).collect();
    format!("{table}_{digits}")
}

fn day_of(leaf: &str) -> Option<i32> {
    let digits = leaf.rsplit('_').next()?;
    let (year, rest) = digits.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    Timestamp::parse(&format!("{year}-{month}-{day}T00:00:00Z")).ok().map(Timestamp::day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_names_its_day_and_holds_its_uids() {
        let at = Timestamp(1_700_000_000_042);
        assert_eq!(leaf("event", at.day()), "event_20231114");
        assert_eq!(day_of("event_20231114"), Some(at.day()));
        let uid = EventUid::new(at, [0; 10]).0;
        assert!(day_start(at.day()) <= uid && uid < day_start(at.day() + 1));
        assert!(uid_bound(at).0 <= uid && uid < uid_bound(at.plus_ms(1)).0);
    }
}
