//! Connections on loan from the pools, as they are or in a transaction.
//!
//! A call that was given up leaves its connection in the middle of something. It goes back to the pool only once it
//! answered again, within a bound: a connection whose network is gone would else hold its place for the quarter of an
//! hour that TCP waits.

use crate::error::{committing, undone};
use railhead_store::StoreError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgTransactionManager;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres, SqlSafeStr};
use sqlx_core::transaction::TransactionManager;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// Commits of the store, of whatever kind: the same name on every store.
const COMMITS: &str = "railhead_store_commits_total";

/// How long a connection may take to answer before it goes back into its pool.
const BACK_WITHIN: Duration = Duration::from_secs(3);

/// A connection on loan. Dropped, it goes back; what it began and did not commit is undone first.
pub struct Lent {
    connection: PoolConnection<Postgres>,
    /// A transaction is being begun: until that is known to have happened, nothing can be undone in order.
    beginning: bool,
}

impl Lent {
    /// Without a transaction: each statement commits by itself.
    pub(crate) async fn plain(pool: &PgPool) -> Result<Self, StoreError> {
        let connection = pool.acquire().await.map_err(not_connected)?;
        Ok(Self { connection, beginning: false })
    }

    /// In a transaction.
    pub(crate) async fn transaction(pool: &PgPool) -> Result<Self, StoreError> {
        Self::begun(pool, "BEGIN".to_owned()).await
    }

    /// In a transaction that begins with `sql`, sent in one go.
    pub(crate) async fn begun(pool: &PgPool, sql: String) -> Result<Self, StoreError> {
        let mut lent = Self::plain(pool).await?;
        lent.beginning = true;
        let begun = PgTransactionManager::begin(&mut lent.connection, Some(AssertSqlSafe(sql).into_sql_str())).await;
        begun.map_err(undone)?;
        lent.beginning = false;
        Ok(lent)
    }
}

/// Commits; an error here means that it is not known.
pub async fn commit(mut lent: Lent) -> Result<(), StoreError> {
    PgTransactionManager::commit(&mut lent.connection).await.map_err(committing)?;
    committed();
    Ok(())
}

/// Counts a commit that was answered.
pub fn committed() {
    metrics::counter!(COMMITS).increment(1);
}

/// Nothing was sent yet.
fn not_connected(error: sqlx::Error) -> StoreError {
    match undone(error) {
        StoreError::Damaged(words) => StoreError::Unavailable(words),
        other => other,
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.beginning {
            self.connection.close_on_drop(); // it also closes within seconds
            return;
        }
        // Nothing, unless a transaction is open.
        PgTransactionManager::start_rollback(&mut self.connection);
        let back = self.connection.return_to_pool();
        // Given up, it is closed, and its place in the pool is free.
        runtime.spawn(async move { drop(tokio::time::timeout(BACK_WITHIN, back).await) });
    }
}
