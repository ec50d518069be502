//! The embedded store: one SQLite file, one host.
//!
//! One writer task owns one connection; intents that wait at the same moment share a transaction. Reads run beside it
//! on read-only connections, each under a time limit. A lock on a file beside the database refuses a second host.

mod accept;
mod checkpoint;
mod codec;
mod directory;
mod error;
mod hints;
mod history;
mod jobs;
mod lease;
mod migrate;
mod multi;
mod open;
#[cfg(test)]
mod plans;
mod reader;
mod record;
mod start;
mod work;
mod writer;

pub use error::OpenError;
pub use migrate::{migrate, pending};

use checkpoint::Checkpointer;
use reader::Readers;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use writer::Writer;

/// How to open a store.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bring an older file up to date. If false, an older file is refused.
    pub migrate: bool,
    /// Connections for reading.
    pub readers: usize,
    /// A read that takes longer is interrupted.
    pub read_limit: Duration,
    /// How long the writer waits for a lock that another program holds.
    pub busy_limit: Duration,
    /// Most pages of the file, for tests of a full disk; `None`: as many as the disk holds.
    pub max_pages: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            migrate: true,
            readers: 4,
            read_limit: Duration::from_secs(1),
            busy_limit: Duration::from_secs(1),
            max_pages: None,
        }
    }
}

/// Figures of the store since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Transactions that were committed.
    pub commits: u64,
    /// Intents that took part in them.
    pub intents: u64,
    /// Bytes of the write-ahead log on disk.
    pub wal_bytes: u64,
}

/// A store in one file. A clone is the same store.
///
/// When the last clone is dropped the writer finishes what it was sent, then closes the file; [`SqliteStore::close`]
/// waits for that.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    writer: Writer,
    readers: Readers,
    wal: PathBuf,
}

impl SqliteStore {
    /// Opens a store, making the file and its folder (readable by their owner alone) where there is none.
    ///
    /// # Errors
    /// [`OpenError`]: nothing was changed, but a file may have been made or brought up to date.
    pub async fn open(path: &Path, options: Options) -> Result<Self, OpenError> {
        open::make_file(path)?;
        let lock = open::lock(path)?;
        let mut connection = open::connect_writer(path, &options).await?;
        migrate::run(&mut connection, options.migrate).await?;
        let wal = open::wal_path(path);
        let checkpointer = Checkpointer::start(open::connect_writer(path, &options).await?);
        let readers = Readers::open(path, &options).await?;
        let writer = Writer::start(connection, checkpointer, wal.clone(), lock);
        Ok(Self { inner: Arc::new(Inner { writer, readers, wal }) })
    }

    /// Finishes what was sent, closes the file and gives its lock back. Later calls on other clones answer
    /// [`railhead_store::StoreError::Unavailable`].
    pub async fn close(&self) {
        // The last connection to close moves the log into the file, which a read-only one cannot.
        self.inner.readers.close().await;
        self.inner.writer.close().await;
    }

    /// Figures for metrics.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let (commits, intents) = self.inner.writer.counts();
        let wal_bytes = std::fs::metadata(&self.inner.wal).map_or(0, |file| file.len());
        Stats { commits, intents, wal_bytes }
    }
}
