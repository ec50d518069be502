//! Which store the settings name.

use crate::compose::StartError;
use crate::config::Config;
use railhead_store::Store;
use railhead_store_postgres::PostgresStore;
use railhead_store_sqlite::SqliteStore;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

/// Opens the configured store. The embedded one is made, and migrated, by itself.
///
/// # Errors
/// [`StartError`] says what to change.
pub async fn open(config: &Config) -> Result<Arc<dyn Store>, StartError> {
    match config.sqlite_path() {
        Some(path) => Ok(Arc::new(open_sqlite(&path).await?)),
        None => refuse_postgres(config).await,
    }
}

async fn open_sqlite(path: &std::path::Path) -> Result<SqliteStore, StartError> {
    if let Some(folder) = path.parent() {
        make_private(folder).map_err(|error| StartError::at(&format!("the folder {}", folder.display()), error))?;
    }
    let store = SqliteStore::open(path, railhead_store_sqlite::Options::default()).await;
    store.map_err(|error| StartError(error.to_string()))
}

/// Brings the schema up to date; the names of the migrations that were applied. The embedded store migrates itself.
///
/// # Errors
/// [`StartError`].
pub async fn migrate(config: &Config) -> Result<Vec<String>, StartError> {
    match config.sqlite_path() {
        Some(path) => {
            open_sqlite(&path).await?.close().await;
            Ok(Vec::new())
        }
        None => connect_postgres(config).await?.migrate().await.map_err(|error| StartError::at("the database", error)),
    }
}

async fn connect_postgres(config: &Config) -> Result<PostgresStore, StartError> {
    let options = railhead_store_postgres::PostgresOptions::default();
    PostgresStore::connect(&config.database_url, &options).await.map_err(|error| StartError::at("the database", error))
}

/// Many hosts on one database are in work: what `serve` needs of it beyond accept, record and configuration is not there
/// yet, so it says so instead of starting half.
async fn refuse_postgres(config: &Config) -> Result<Arc<dyn Store>, StartError> {
    let store = connect_postgres(config).await?;
    let pending = store.pending().await.map_err(|error| StartError::at("the database", error))?;
    let hint = if pending.is_empty() { "" } else { " (its schema has pending migrations: `railhead migrate`)" };
    Err(StartError(format!(
        "this version serves from the embedded store only{hint}. Leave RAILHEAD_DATABASE_URL unset, or set it to sqlite://path"
    )))
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
