//! The schema: forward-only migrations that are part of the program.

use crate::connect::PostgresStore;
use crate::error::{committing, undone};
use railhead_store::StoreError;
use sqlx::{Connection, PgConnection, Row};

/// In order. What was released is never edited: a new one is added.
const MIGRATIONS: &[(i32, &str, &str)] = &[
    (1, "first", include_str!("../migrations/0001_first.sql")),
    (2, "batches", include_str!("../migrations/0002_batches.sql")),
];

/// Held while the schema is read and changed: hosts that start at once migrate one after the other.
const LOCK: i64 = 0x7261_696c_6865_6164;

impl PostgresStore {
    /// Names of the migrations that this program has and the database has not, in order.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the database was migrated by a newer program.
    pub async fn pending(&self) -> Result<Vec<String>, StoreError> {
        let mut connection = self.schema_connection().await?;
        let done = done(&mut connection).await?;
        connection.close().await.map_err(undone)?;
        Ok(MIGRATIONS
            .iter()
            .filter(|(no, ..)| !done.contains(no))
            .map(|(no, name, _)| format!("{no:04}_{name}"))
            .collect())
    }

    /// Applies what is pending, each migration in its own transaction, and answers with the names of what it applied.
    /// One host at a time: others wait. Running it again is harmless.
    ///
    /// # Errors
    /// As [`PostgresStore::pending`]; a migration that fails leaves nothing of itself.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        let mut connection = self.schema_connection().await?;
        sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut connection).await.map_err(undone)?;
        let done = done(&mut connection).await?;
        let mut applied = Vec::new();
        for (no, name, sql) in MIGRATIONS.iter().filter(|(no, ..)| !done.contains(no)) {
            apply(&mut connection, *no, name, sql).await?;
            applied.push(format!("{no:04}_{name}"));
        }
        // The lock goes with its connection.
        connection.close().await.map_err(undone)?;
        Ok(applied)
    }

    async fn schema_connection(&self) -> Result<PgConnection, StoreError> {
        PgConnection::connect_with(self.plain_options())
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))
    }
}

async fn done(connection: &mut PgConnection) -> Result<Vec<i32>, StoreError> {
    let made = sqlx::query("SELECT to_regclass('railhead_migration') IS NOT NULL AS made")
        .fetch_one(&mut *connection)
        .await
        .map_err(undone)?;
    if !made.try_get::<bool, _>("made").map_err(undone)? {
        return Ok(Vec::new());
    }
    let done: Vec<i32> =
        sqlx::query_scalar("SELECT no FROM railhead_migration").fetch_all(connection).await.map_err(undone)?;
    let newest = MIGRATIONS.last().map_or(0, |(no, ..)| *no);
    match done.iter().max() {
        Some(theirs) if *theirs > newest => Err(StoreError::Conflict(format!(
            "the database has migration {theirs}, this program knows up to {newest}: use a newer program"
        ))),
        _ => Ok(done),
    }
}

async fn apply(connection: &mut PgConnection, no: i32, name: &str, sql: &'static str) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await.map_err(undone)?;
    sqlx::raw_sql(
        "CREATE TABLE IF NOT EXISTS railhead_migration \
         (no int PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())",
    )
    .execute(&mut *transaction)
    .await
    .map_err(undone)?;
    sqlx::raw_sql(sql).execute(&mut *transaction).await.map_err(undone)?;
    sqlx::query("INSERT INTO railhead_migration (no, name) VALUES ($1, $2)")
        .bind(no)
        .bind(name)
        .execute(&mut *transaction)
        .await
        .map_err(undone)?;
    transaction.commit().await.map_err(committing)
}
