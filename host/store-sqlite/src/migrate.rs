//! The schema's versions: forward only, each in one transaction.

use crate::{OpenError, Options, open};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Executor as _};
use std::path::Path;

/// Every version in order; the first is 1.
const VERSIONS: [(&str, &str); 3] = [
    ("0001_store", include_str!("../migrations/0001_store.sql")),
    ("0002_batches", include_str!("../migrations/0002_batches.sql")),
    ("0003_many_hosts", include_str!("../migrations/0003_many_hosts.sql")),
];

/// Brings a file up to date, making it where there is none. Answers with the names of the versions that it ran.
///
/// # Errors
/// [`OpenError`]; versions before the failed one stay.
pub async fn migrate(path: &Path) -> Result<Vec<&'static str>, OpenError> {
    open::make_file(path)?;
    let _lock = open::lock(path)?;
    let mut connection = open::connect_writer(path, &Options::default()).await?;
    let ran = run(&mut connection, true).await?;
    connection.close().await?;
    Ok(ran)
}

/// The versions that a file lacks; all of them where there is no file.
///
/// # Errors
/// [`OpenError`].
pub async fn pending(path: &Path) -> Result<Vec<&'static str>, OpenError> {
    if !path.exists() {
        return Ok(VERSIONS.iter().map(|(name, _)| *name).collect());
    }
    let mut connection = open::connect_reader(path, &Options::default()).await?;
    let missing = missing(&mut connection).await?;
    connection.close().await?;
    Ok(missing.iter().map(|(name, _)| *name).collect())
}

/// Runs what is missing, or refuses.
pub(crate) async fn run(connection: &mut SqliteConnection, allowed: bool) -> Result<Vec<&'static str>, OpenError> {
    let missing = missing(connection).await?;
    if !missing.is_empty() && !allowed {
        return Err(OpenError::Pending { found: found(connection).await?, known: known() });
    }
    for (name, script) in missing {
        connection.execute(sqlx::raw_sql("BEGIN IMMEDIATE")).await?;
        if let Err(error) = apply(connection, name, script).await {
            connection.execute(sqlx::raw_sql("ROLLBACK")).await?;
            return Err(error);
        }
    }
    Ok(missing.iter().map(|(name, _)| *name).collect())
}

async fn apply(connection: &mut SqliteConnection, name: &'static str, script: &'static str) -> Result<(), OpenError> {
    let table = "CREATE TABLE IF NOT EXISTS migration (no INTEGER PRIMARY KEY, name TEXT NOT NULL)";
    connection.execute(sqlx::raw_sql(table)).await?;
    connection.execute(sqlx::raw_sql(script)).await?;
    sqlx::query("INSERT INTO migration (name) VALUES (?)").bind(name).execute(&mut *connection).await?;
    connection.execute(sqlx::raw_sql("COMMIT")).await?;
    Ok(())
}

async fn missing(connection: &mut SqliteConnection) -> Result<&'static [(&'static str, &'static str)], OpenError> {
    let found = found(connection).await?;
    let index = usize::try_from(found).unwrap_or(usize::MAX);
    VERSIONS.get(index..).ok_or(OpenError::Newer { found, known: known() })
}

async fn found(connection: &mut SqliteConnection) -> Result<i64, OpenError> {
    let table = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'migration'";
    let tables: i64 = sqlx::query_scalar(table).fetch_one(&mut *connection).await?;
    if tables == 0 {
        return Ok(0);
    }
    Ok(sqlx::query_scalar("SELECT coalesce(max(no), 0) FROM migration").fetch_one(&mut *connection).await?)
}

const fn known() -> i64 {
    VERSIONS.len() as i64
}
