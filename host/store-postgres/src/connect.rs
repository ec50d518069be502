//! Connections: options, two pools, and what every connection is set to.

use crate::lease::LeaseLine;
use crate::lent::Lent;
pub use crate::lent::commit;
use crate::reader;
use railhead_model::TenantNo;
use railhead_store::StoreError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, PgConnection, PgPool};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;

/// How many connections, and how long to wait.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// Connections for accept, record and refill; the lanes need one each, refills the rest. Leases have their own.
    pub engine_connections: u32,
    /// Connections for configuration, jobs and pages, so that a slow page never waits before a commit.
    pub desk_connections: u32,
    /// How long a call waits for a free connection, or a new one, before it is refused as unavailable, in milliseconds.
    pub acquire_ms: u64,
    /// The longest that a statement of the engine may run, in milliseconds.
    pub engine_statement_ms: u64,
    /// The longest that a statement of configuration, jobs and pages may run, in milliseconds.
    pub desk_statement_ms: u64,
    /// When the host gives a call of the engine up, whatever the server does, in milliseconds. More than a statement may
    /// take, so that what the server itself ended is known to be undone; less than a lease.
    pub engine_call_ms: u64,
    /// The same of configuration, jobs and pages; some of these are several statements.
    pub desk_call_ms: u64,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            engine_connections: 8,
            desk_connections: 4,
            acquire_ms: 2_000,
            engine_statement_ms: 3_000,
            desk_statement_ms: 10_000,
            engine_call_ms: 4_000,
            desk_call_ms: 20_000,
        }
    }
}

/// The store on one PostgreSQL database. Cheap to clone.
#[derive(Clone)]
pub struct PostgresStore {
    engine: PgPool,
    desk: PgPool,
    options: PgConnectOptions,
    limits: Arc<PostgresOptions>,
    reader: Arc<OnceCell<String>>,
    lease: LeaseLine,
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
            .application_name("railhead")
            .options(KEEP_ALIVE);
        let store = Self {
            engine: pool(&base, options.engine_connections, options.engine_statement_ms, options.acquire_ms, false),
            desk: pool(&base, options.desk_connections, options.desk_statement_ms, options.acquire_ms, true),
            lease: LeaseLine::new(tuned(&base, LEASE_STATEMENT_MS)),
            options: base,
            limits: Arc::new(options.clone()),
            reader: Arc::default(),
        };
        drop(store.engine().await?);
        Ok(store)
    }

    /// Waits for connections in use and closes all.
    pub async fn close(&self) {
        self.lease.close().await;
        self.engine.close().await;
        self.desk.close().await;
    }

    /// A connection for hot statements.
    pub(crate) async fn engine(&self) -> Result<Lent, StoreError> {
        Lent::plain(&self.engine).await
    }

    /// A connection for configuration, jobs and pages.
    pub(crate) async fn desk(&self) -> Result<Lent, StoreError> {
        Lent::plain(&self.desk).await
    }

    /// A transaction for hot statements.
    pub(crate) async fn engine_begin(&self) -> Result<Lent, StoreError> {
        Lent::transaction(&self.engine).await
    }

    /// A transaction for configuration, jobs and pages.
    pub(crate) async fn desk_begin(&self) -> Result<Lent, StoreError> {
        Lent::transaction(&self.desk).await
    }

    /// A transaction that reads what belongs to this tenant, and cannot see more: see [`reader`].
    pub(crate) async fn reader(&self, tenant: TenantNo) -> Result<Lent, StoreError> {
        let role = self.reader.get_or_try_init(async || reader::name(&mut *self.desk().await?).await).await?;
        Lent::begun(&self.desk, reader::begin(role, tenant)).await.map_err(reader::explain)
    }

    /// Where statements about leases go.
    pub(crate) fn lease_line(&self) -> &LeaseLine {
        &self.lease
    }

    /// What a connection outside the pools begins with: no time limits, ordinary plans.
    pub(crate) fn plain_options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// A connection outside the pools: no time limits on statements, ordinary plans.
    pub(crate) async fn aside(&self) -> Result<PgConnection, StoreError> {
        let limit = Duration::from_millis(self.limits.acquire_ms);
        match tokio::time::timeout(limit, self.options.connect()).await {
            Ok(connected) => connected.map_err(|error| StoreError::Unavailable(error.to_string())),
            Err(_) => Err(StoreError::Unavailable("no connection in time".to_owned())),
        }
    }

    /// As connected with.
    pub(crate) fn limits(&self) -> &PostgresOptions {
        &self.limits
    }
}

/// A host that lost the network must not hold row locks for the minutes that TCP would wait: the server drops a client
/// that takes no data for 3 s, or answers no probe for about 10, and stops a statement whose client has hung up.
const KEEP_ALIVE: [(&str, &str); 5] = [
    ("tcp_user_timeout", "3000"),
    ("tcp_keepalives_idle", "5"),
    ("tcp_keepalives_interval", "2"),
    ("tcp_keepalives_count", "3"),
    ("client_connection_check_interval", "2000"),
];

/// The longest that a statement about leases may run: less than a host waits for it ([`crate::deadline`]), so that one
/// that was given up holds no lock when it is sent again.
const LEASE_STATEMENT_MS: u64 = 1_400;

fn tuned(base: &PgConnectOptions, statement_ms: u64) -> PgConnectOptions {
    base.clone().options([
        ("enable_seqscan", "off".to_owned()),
        ("plan_cache_mode", "force_generic_plan".to_owned()),
        ("jit", "off".to_owned()),
        ("default_transaction_isolation", "read committed".to_owned()),
        ("statement_timeout", statement_ms.to_string()),
        ("idle_in_transaction_session_timeout", statement_ms.to_string()),
    ])
}

fn pool(base: &PgConnectOptions, most: u32, statement_ms: u64, acquire_ms: u64, test: bool) -> PgPool {
    PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(Duration::from_millis(acquire_ms))
        // A ping before each hot statement would double its round trips. A dead connection answers "unknown" once, and
        // the same batch is sent again.
        .test_before_acquire(test)
        .connect_lazy_with(tuned(base, statement_ms))
}
