//! Connections: options, two pools, and what every connection is set to.

use crate::error::{committing, undone};
use railhead_store::StoreError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Postgres, Transaction};
use std::str::FromStr;
use std::time::Duration;

/// How many connections, and how long to wait.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// Connections for accept, record, refill and leases; the lanes need one each, refills the rest.
    pub engine_connections: u32,
    /// Connections for configuration, jobs and pages, so that a slow page never waits before a commit.
    pub desk_connections: u32,
    /// How long a call waits for a free connection before it is refused as unavailable, in milliseconds.
    pub acquire_ms: u64,
    /// The longest that a statement of the engine may run, in milliseconds.
    pub engine_statement_ms: u64,
    /// The longest that a statement of configuration, jobs and pages may run, in milliseconds.
    pub desk_statement_ms: u64,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            engine_connections: 8,
            desk_connections: 4,
            acquire_ms: 2_000,
            engine_statement_ms: 3_000,
            desk_statement_ms: 10_000,
        }
    }
}

/// The store on one PostgreSQL database. Cheap to clone.
#[derive(Clone)]
pub struct PostgresStore {
    engine: PgPool,
    desk: PgPool,
    options: PgConnectOptions,
}

impl PostgresStore {
    /// Opens the pools and proves that the server answers. Does not migrate: see [`PostgresStore::pending`].
    ///
    /// # Errors
    /// [`StoreError::Damaged`] for a URL that cannot be read, [`StoreError::Unavailable`] if the server does not answer.
    pub async fn connect(url: &str, options: &PostgresOptions) -> Result<Self, StoreError> {
        // The parser's own words may quote the URL, and with it the password.
        let base = PgConnectOptions::from_str(url)
            .map_err(|_| StoreError::Damaged("the database URL cannot be read".to_owned()))?
            .application_name("railhead");
        let store = Self {
            engine: pool(&base, options.engine_connections, options.engine_statement_ms, options.acquire_ms, false),
            desk: pool(&base, options.desk_connections, options.desk_statement_ms, options.acquire_ms, true),
            options: base,
        };
        drop(store.engine().await?);
        Ok(store)
    }

    /// Waits for connections in use and closes all.
    pub async fn close(&self) {
        self.engine.close().await;
        self.desk.close().await;
    }

    /// A connection for hot statements.
    pub(crate) async fn engine(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        self.engine.acquire().await.map_err(not_connected)
    }

    /// A connection for configuration, jobs and pages.
    pub(crate) async fn desk(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        self.desk.acquire().await.map_err(not_connected)
    }

    /// A transaction for hot statements.
    pub(crate) async fn engine_begin(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        self.engine.begin().await.map_err(not_connected)
    }

    /// A transaction for configuration, jobs and pages.
    pub(crate) async fn desk_begin(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        self.desk.begin().await.map_err(not_connected)
    }

    /// What a connection outside the pools begins with: no time limits, ordinary plans.
    pub(crate) fn plain_options(&self) -> &PgConnectOptions {
        &self.options
    }
}

/// Commits; an error here means that it is not known.
pub async fn commit(transaction: Transaction<'static, Postgres>) -> Result<(), StoreError> {
    transaction.commit().await.map_err(committing)
}

fn pool(base: &PgConnectOptions, most: u32, statement_ms: u64, acquire_ms: u64, test: bool) -> PgPool {
    let options = base.clone().options([
        ("enable_seqscan", "off".to_owned()),
        ("plan_cache_mode", "force_generic_plan".to_owned()),
        ("jit", "off".to_owned()),
        ("default_transaction_isolation", "read committed".to_owned()),
        ("statement_timeout", statement_ms.to_string()),
        ("idle_in_transaction_session_timeout", statement_ms.to_string()),
        // A host that lost the network must not hold row locks for the minutes that TCP would wait.
        ("tcp_user_timeout", "3000".to_owned()),
    ]);
    PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(Duration::from_millis(acquire_ms))
        // A ping before each hot statement would double its round trips. A dead connection answers "unknown" once, and
        // the same batch is sent again.
        .test_before_acquire(test)
        .connect_lazy_with(options)
}

/// Nothing was sent yet.
fn not_connected(error: sqlx::Error) -> StoreError {
    match undone(error) {
        StoreError::Damaged(words) => StoreError::Unavailable(words),
        other => other,
    }
}
