//! The schema: forward-only migrations that are part of the program.
//!
//! Each is one transaction that never waits long for a lock: what waits behind it waits as long. Hosts of the version
//! before go on beside a new schema, so a migration adds; what takes away comes a version later, and is listed in
//! [`BREAKS`].

use crate::connect::PostgresStore;
use crate::error::undone;
use crate::reader;
use crate::schema_error::SchemaError;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use std::time::Duration;

/// In order. What was released is never edited: a new one is added.
const MIGRATIONS: &[(i32, &str, &str)] = &[
    (1, "first", include_str!("../migrations/0001_first.sql")),
    (2, "batches", include_str!("../migrations/0002_batches.sql")),
    (3, "many_hosts", include_str!("../migrations/0003_many_hosts.sql")),
    (4, "row_security", include_str!("../migrations/0004_row_security.sql")),
];

/// Migrations after which programs that do not know them cannot run: 2 renamed a column.
const BREAKS: &[i32] = &[1, 2];

/// Held while the schema is read and changed: hosts that start at once migrate one after the other.
const LOCK: i64 = 0x7261_696c_6865_6164;

/// What was applied, and for whom. `checksum` and `works_with` came later than the first migrations.
const BOOKS: &str = "
CREATE TABLE IF NOT EXISTS railhead_migration
    (no int PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
ALTER TABLE railhead_migration ADD COLUMN IF NOT EXISTS checksum text, ADD COLUMN IF NOT EXISTS works_with int";

/// Reads the books as any version wrote them.
const APPLIED: &str = "
SELECT m.no, to_jsonb(m)->>'checksum' AS checksum, (to_jsonb(m)->>'works_with')::int AS works_with
FROM railhead_migration m ORDER BY m.no";

const HOLDERS: &str = "
SELECT format('pid %s (%s, %s)', pid, COALESCE(NULLIF(application_name, ''), usename), state)
FROM pg_stat_activity
WHERE xact_start < clock_timestamp() - interval '1 second' AND datname = current_database() AND pid <> pg_backend_pid()
ORDER BY xact_start LIMIT 3";

/// How long a migration waits, and how often it tries.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The longest that one statement waits for one lock, in milliseconds. Below the server's `deadlock_timeout` (1 s),
    /// so that in a circle of waits the migration gives way and no host does.
    pub lock_ms: u64,
    /// The longest that one statement may run, its waits included, in milliseconds: below the hosts' own limit, so that
    /// what queues behind it is slow once and not refused.
    pub statement_ms: u64,
    /// How often each migration is tried.
    pub tries: u32,
    /// What the hosts have to themselves between two tries, in milliseconds.
    pub pause_ms: u64,
    /// The longest wait for another migration, in milliseconds.
    pub others_ms: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { lock_ms: 500, statement_ms: 2_000, tries: 30, pause_ms: 1_000, others_ms: 120_000 }
    }
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migrated {
    /// Names of the migrations that it applied, in order.
    pub applied: Vec<String>,
    /// True if it made the reading role, or granted it what it reads.
    pub reader: bool,
}

/// A migration that the database has.
struct Applied {
    no: i32,
    checksum: Option<String>,
    works_with: Option<i32>,
}

impl PostgresStore {
    /// Names of the migrations that this program has and the database has not, in order.
    ///
    /// # Errors
    /// [`SchemaError::TooNew`], [`SchemaError::Changed`].
    pub async fn pending(&self) -> Result<Vec<String>, SchemaError> {
        let mut connection = self.aside().await?;
        let applied = applied(&mut connection).await?;
        check(&applied)?;
        Ok(open(&applied).map(|(no, name, _)| full_name(*no, name)).collect())
    }

    /// Applies what is pending, each migration in its own transaction. One program at a time: others wait. Running it
    /// again is harmless.
    ///
    /// # Errors
    /// [`SchemaError`]. A migration that fails leaves nothing of itself; those before it stay.
    pub async fn migrate(&self) -> Result<Migrated, SchemaError> {
        self.migrate_with(&Patience::default()).await
    }

    /// The same with other waits.
    ///
    /// # Errors
    /// As [`PostgresStore::migrate`].
    pub async fn migrate_with(&self, patience: &Patience) -> Result<Migrated, SchemaError> {
        let mut connection = self.aside().await?;
        claim(&mut connection, patience).await?;
        let there = applied(&mut connection).await?;
        check(&there)?;
        sqlx::raw_sql(BOOKS).execute(&mut connection).await.map_err(undone)?;
        adopt(&mut connection, &there).await?;
        let mut migrated = Migrated { reader: reader::make_role(&mut connection).await?, ..Migrated::default() };
        for (no, name, sql) in open(&there) {
            apply_at_last(&mut connection, *no, name, sql, patience).await?;
            migrated.applied.push(full_name(*no, name));
        }
        migrated.reader |= reader::grant(&mut connection).await?;
        // The lock goes with its connection.
        connection.close().await.map_err(undone)?;
        Ok(migrated)
    }
}

/// Waits for its turn, and sets how long everything after it waits.
async fn claim(connection: &mut PgConnection, patience: &Patience) -> Result<(), SchemaError> {
    set(connection, "lock_timeout", patience.others_ms).await?;
    match sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut *connection).await {
        Err(error) if is_in_use(&error) => return Err(SchemaError::Elsewhere),
        other => other.map_err(undone)?,
    };
    set(connection, "lock_timeout", patience.lock_ms).await
}

async fn set(connection: &mut PgConnection, name: &str, ms: u64) -> Result<(), SchemaError> {
    let sql = AssertSqlSafe(format!("SET {name} = {ms}"));
    sqlx::raw_sql(sql).execute(connection).await.map_err(undone)?;
    Ok(())
}

async fn applied(connection: &mut PgConnection) -> Result<Vec<Applied>, SchemaError> {
    let made: bool = sqlx::query_scalar("SELECT to_regclass('railhead_migration') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await
        .map_err(undone)?;
    if !made {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(APPLIED).fetch_all(connection).await.map_err(undone)?;
    let read = |row: &PgRow| {
        Ok(Applied {
            no: row.try_get("no")?,
            checksum: row.try_get("checksum")?,
            works_with: row.try_get("works_with")?,
        })
    };
    Ok(rows.iter().map(read).collect::<Result<_, _>>().map_err(undone)?)
}

/// What is there must be what this program knows, or be newer and say that it works with this program.
fn check(applied: &[Applied]) -> Result<(), SchemaError> {
    let ours = MIGRATIONS.iter().map(|(no, ..)| *no).max().unwrap_or_default();
    for there in applied {
        match MIGRATIONS.iter().find(|(no, ..)| *no == there.no) {
            Some((no, name, sql)) if there.checksum.as_ref().is_some_and(|sum| *sum != checksum(sql)) => {
                return Err(SchemaError::Changed { name: full_name(*no, name) });
            }
            Some(_) => {}
            None if there.works_with.is_some_and(|with| with <= ours) => {}
            None => return Err(SchemaError::TooNew { theirs: there.no, ours }),
        }
    }
    Ok(())
}

fn open(applied: &[Applied]) -> impl Iterator<Item = &'static (i32, &'static str, &'static str)> + '_ {
    MIGRATIONS.iter().filter(|(no, ..)| !applied.iter().any(|there| there.no == *no))
}

/// Those that were applied before there were checksums get theirs.
async fn adopt(connection: &mut PgConnection, applied: &[Applied]) -> Result<(), SchemaError> {
    for (no, _, sql) in MIGRATIONS {
        if applied.iter().any(|there| there.no == *no && there.checksum.is_none()) {
            sqlx::query("UPDATE railhead_migration SET checksum = $2, works_with = $3 WHERE no = $1")
                .bind(no)
                .bind(checksum(sql))
                .bind(works_with(*no))
                .execute(&mut *connection)
                .await
                .map_err(undone)?;
        }
    }
    Ok(())
}

/// Tries until nobody holds what it needs, with pauses in which the hosts go on.
async fn apply_at_last(
    connection: &mut PgConnection,
    no: i32,
    name: &str,
    sql: &'static str,
    patience: &Patience,
) -> Result<(), SchemaError> {
    for tried in 1..=patience.tries {
        match apply(connection, no, name, sql, patience.statement_ms).await {
            Err(error) if is_in_use(&error) && tried < patience.tries => {
                tracing::info!(migration = name, tried, "its tables are in use; it is tried again");
                tokio::time::sleep(Duration::from_millis(patience.pause_ms)).await;
            }
            Err(error) if is_in_use(&error) => break,
            Err(error) => return Err(SchemaError::Failed { name: full_name(no, name), error: undone(error) }),
            Ok(()) => return Ok(()),
        }
    }
    let holders: Vec<String> = sqlx::query_scalar(HOLDERS).fetch_all(connection).await.map_err(undone)?;
    let holders = match holders.as_slice() {
        [] => "no long transaction is open now".to_owned(),
        some => format!("the longest open transactions: {}", some.join(", ")),
    };
    Err(SchemaError::Blocked { name: full_name(no, name), tries: patience.tries, holders })
}

async fn apply(
    connection: &mut PgConnection,
    no: i32,
    name: &str,
    sql: &'static str,
    statement_ms: u64,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let limit = AssertSqlSafe(format!("SET LOCAL statement_timeout = {statement_ms}"));
    sqlx::raw_sql(limit).execute(&mut *transaction).await?;
    sqlx::raw_sql(sql).execute(&mut *transaction).await?;
    sqlx::query("INSERT INTO railhead_migration (no, name, checksum, works_with) VALUES ($1, $2, $3, $4)")
        .bind(no)
        .bind(name)
        .bind(checksum(sql))
        .bind(works_with(no))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// A lock that was not had in time, a deadlock, a statement that ran out of its time waiting.
fn is_in_use(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("55P03" | "40P01" | "57014"))
}

/// The oldest migration whose program runs on a schema that has this one.
fn works_with(no: i32) -> i32 {
    BREAKS.iter().copied().filter(|breaking| *breaking <= no).max().unwrap_or(no)
}

fn checksum(sql: &str) -> String {
    hex::encode(Sha256::digest(sql.as_bytes()))
}

fn full_name(no: i32, name: &str) -> String {
    format!("{no:04}_{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_schema_is_taken_only_if_it_says_so() {
        let newer = |works_with| [Applied { no: 9_999, checksum: None, works_with }];
        assert!(check(&newer(Some(2))).is_ok());
        assert_eq!(check(&newer(None)).expect_err("refused").code(), "schema-too-new");
        assert_eq!(check(&newer(Some(9_999))).expect_err("refused").code(), "schema-too-new");
    }

    #[test]
    fn what_was_applied_is_what_the_program_has() {
        let there =
            |checksum: Option<&str>| [Applied { no: 1, checksum: checksum.map(str::to_owned), works_with: None }];
        assert!(check(&there(None)).is_ok());
        assert_eq!(check(&there(Some("00"))).expect_err("refused").code(), "migration-changed");
        assert_eq!((works_with(1), works_with(2), works_with(4)), (1, 2, 2));
    }
}
