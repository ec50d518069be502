//! The file: who may read it, who holds it, how it is connected to.

use crate::{OpenError, Options};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// Statements that a connection keeps prepared: all of the hot ones in their sizes.
const PREPARED: usize = 256;

/// Makes the file, and its folder, readable by their owner alone; leaves what is there.
pub(crate) fn make_file(path: &Path) -> Result<(), OpenError> {
    let refused = |error| OpenError::File { path: path.to_owned(), error };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        private_folder().create(folder).map_err(refused)?;
    }
    private_file().open(path).map_err(refused)?;
    Ok(())
}

/// Takes the lock of the file beside it: the proof that no other host is alive on this database.
pub(crate) fn lock(path: &Path) -> Result<File, OpenError> {
    let beside = with_suffix(path, ".lock");
    let refused = |error| OpenError::File { path: beside.clone(), error };
    let file = private_file().open(&beside).map_err(refused)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(refused(error)),
    }
}

/// Where SQLite keeps the write-ahead log.
pub(crate) fn wal_path(path: &Path) -> PathBuf {
    with_suffix(path, "-wal")
}

/// A connection that may write. Checkpoints are ours, so that none happens inside a commit.
pub(crate) async fn connect_writer(path: &Path, options: &Options) -> Result<SqliteConnection, OpenError> {
    let mut connect = common(path, options)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", "0")
        .pragma("cache_size", "-65536");
    if let Some(pages) = options.max_pages {
        connect = connect.pragma("max_page_count", pages.to_string());
    }
    Ok(SqliteConnection::connect_with(&connect).await?)
}

/// A connection that can only read.
pub(crate) async fn connect_reader(path: &Path, options: &Options) -> Result<SqliteConnection, OpenError> {
    let connect = common(path, options).read_only(true).pragma("cache_size", "-16384");
    Ok(SqliteConnection::connect_with(&connect).await?)
}

fn common(path: &Path, options: &Options) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .foreign_keys(false)
        .busy_timeout(options.busy_limit)
        .statement_cache_capacity(PREPARED)
        .pragma("temp_store", "memory")
        .row_buffer_size(256)
        .disable_statement_logging()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn private_folder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}
