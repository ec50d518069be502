//! Which store the settings name.

use crate::compose::StartError;
use crate::config::Config;
use railhead_model::{Clock as _, SystemClock};
use railhead_store::Store;
use railhead_store_postgres::{Migrated, PostgresStore, SchemaError};
use railhead_store_sqlite::SqliteStore;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

/// The store of a running host.
pub struct Opened {
    /// For everybody.
    pub store: Arc<dyn Store>,
    /// The embedded one, to be closed in order.
    embedded: Option<SqliteStore>,
}

impl Opened {
    /// Finishes what was sent. The embedded store moves its log into the one file that is then all of it.
    pub async fn close(self) {
        if let Some(embedded) = self.embedded {
            embedded.close().await;
        }
    }
}

/// Opens the configured store. The embedded one is made, and migrated, by itself.
///
/// # Errors
/// [`StartError`] says what to change.
pub async fn open(config: &Config) -> Result<Opened, StartError> {
    let Some(path) = config.sqlite_path() else {
        return Ok(Opened { store: open_postgres(config).await?, embedded: None });
    };
    let embedded = open_sqlite(&path).await?;
    Ok(Opened { store: Arc::new(embedded.clone()), embedded: Some(embedded) })
}

async fn open_sqlite(path: &std::path::Path) -> Result<SqliteStore, StartError> {
    if let Some(folder) = path.parent() {
        make_private(folder).map_err(|error| StartError::at(&format!("the folder {}", folder.display()), error))?;
    }
    let store = SqliteStore::open(path, railhead_store_sqlite::Options::default()).await;
    store.map_err(|error| StartError(error.to_string()))
}

/// Brings the schema up to date. The embedded store migrates itself: there is nothing to tell.
///
/// # Errors
/// [`MigrateError`].
pub async fn migrate(config: &Config) -> Result<Migrated, MigrateError> {
    match config.sqlite_path() {
        Some(path) => {
            open_sqlite(&path).await?.close().await;
            Ok(Migrated::default())
        }
        None => Ok(connect_postgres(config).await?.migrate().await?),
    }
}

/// Why the schema is not up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] StartError),
    /// The schema, or its role.
    #[error("the database: {0}")]
    Schema(#[from] SchemaError),
}

impl From<MigrateError> for StartError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Open(error) => error,
            MigrateError::Schema(error) => Self::at("the database", error),
        }
    }
}

impl MigrateError {
    /// For scripts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Open(_) => "database-unavailable",
            Self::Schema(error) => error.code(),
        }
    }

    /// True if the same may work later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Schema(error) if error.is_retryable())
    }
}

async fn connect_postgres(config: &Config) -> Result<PostgresStore, SchemaError> {
    let options = railhead_store_postgres::PostgresOptions::default();
    Ok(PostgresStore::connect(&config.database_url, &options).await?)
}

/// Pending migrations are a refusal, not a surprise: they are made by `railhead migrate`, or `serve --migrate`.
async fn open_postgres(config: &Config) -> Result<Arc<dyn Store>, StartError> {
    let store = connect_postgres(config).await.map_err(|error| StartError::at("the database", error))?;
    let pending = store.pending().await.map_err(|error| StartError::at("the database", error))?;
    if !pending.is_empty() {
        let names = pending.join(", ");
        return Err(StartError(format!(
            "the database's schema is not up to date ({names}): run `railhead migrate`, or start with `serve --migrate`"
        )));
    }
    store.check_reader().await.map_err(|error| StartError::at("the database", error))?;
    let clock = SystemClock::new();
    store.ensure_partitions(clock.now()).await.map_err(|error| StartError::at("the database", error))?;
    tokio::spawn(keep_partitions(store.clone(), clock));
    Ok(Arc::new(store))
}

/// Days are made three ahead, so a host that cannot make one for hours loses nothing.
const PARTITIONS_EVERY: std::time::Duration = std::time::Duration::from_secs(3_600);

async fn keep_partitions(store: PostgresStore, clock: SystemClock) {
    loop {
        tokio::time::sleep(PARTITIONS_EVERY).await;
        if let Err(error) = store.ensure_partitions(clock.now()).await {
            tracing::warn!(%error, "the next days' partitions could not be made; tried again in an hour");
        }
    }
}

/// Makes a folder that only its owner enters, unless it is there.
fn make_private(folder: &std::path::Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Where the database listens, so that no destination can be there.
#[must_use]
pub fn addresses(config: &Config) -> Vec<SocketAddr> {
    let Ok(url) = url::Url::parse(&config.database_url) else { return Vec::new() };
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else { return Vec::new() };
    (host, url.port().unwrap_or(5432)).to_socket_addrs().map(Iterator::collect).unwrap_or_default()
}
