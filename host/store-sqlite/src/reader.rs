//! Reads: read-only connections beside the writer, each read under a time limit.

use crate::error::{Fault, from_sqlite};
use crate::{OpenError, Options, open};
use futures::future::BoxFuture;
use railhead_store::StoreError;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Steps of SQLite's machine between two looks at whether a statement must stop.
const LOOK_EVERY: i32 = 10_000;

#[derive(Debug)]
pub(crate) struct Readers {
    idle: Mutex<Vec<Reader>>,
    permits: Semaphore,
    limit: Duration,
}

#[derive(Debug)]
struct Reader {
    connection: SqliteConnection,
    stop: Arc<AtomicBool>,
}

impl Readers {
    pub async fn open(path: &Path, options: &Options) -> Result<Self, OpenError> {
        let count = options.readers.max(1);
        let mut idle = Vec::with_capacity(count);
        for _ in 0..count {
            idle.push(Reader::open(path, options).await?);
        }
        Ok(Self { idle: Mutex::new(idle), permits: Semaphore::new(count), limit: options.read_limit })
    }

    /// Reads on a connection of its own. A read that takes longer than the limit is interrupted.
    pub async fn run<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, Fault>>,
    {
        let mut borrowed = self.borrow().await?;
        let reader = borrowed.reader.as_mut().ok_or_else(closed)?;
        if reader.stop.load(Ordering::Relaxed) {
            reader.settle().await; // the last caller left in the middle
        }
        let answer = match tokio::time::timeout(self.limit, read(&mut reader.connection)).await {
            Ok(answer) => answer.map_err(StoreError::from),
            Err(_) => Err(StoreError::Unavailable(format!("a read took longer than {} ms", self.limit.as_millis()))),
        };
        borrowed.finished = true;
        if matches!(answer, Err(StoreError::Unavailable(_)))
            && let Some(reader) = borrowed.reader.as_mut()
        {
            reader.settle().await;
        }
        answer
    }

    pub async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for reader in idle {
            if let Err(error) = reader.connection.close().await {
                tracing::debug!(error = %from_sqlite(&error), "a reading connection did not close cleanly");
            }
        }
    }

    async fn borrow(&self) -> Result<Borrowed<'_>, StoreError> {
        let permit = self.permits.acquire().await.map_err(|_| closed())?;
        let reader = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Ok(Borrowed { readers: self, reader, finished: false, _permit: permit })
    }
}

impl Reader {
    async fn open(path: &Path, options: &Options) -> Result<Self, OpenError> {
        let mut connection = open::connect_reader(path, options).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let mut handle = connection.lock_handle().await?;
        handle.set_progress_handler(LOOK_EVERY, move || !asked.load(Ordering::Relaxed));
        drop(handle);
        Ok(Self { connection, stop })
    }

    /// Stops what still runs and waits until the connection is free.
    async fn settle(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.connection.ping().await; // comes after the statement that was interrupted
        self.stop.store(false, Ordering::Relaxed);
    }
}

/// A reader that goes back by itself, also when its caller leaves in the middle.
struct Borrowed<'s> {
    readers: &'s Readers,
    reader: Option<Reader>,
    finished: bool,
    _permit: SemaphorePermit<'s>,
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.take() {
            if !self.finished {
                reader.stop.store(true, Ordering::Relaxed);
            }
            self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        }
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDLESS: &str = "WITH RECURSIVE n (i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";

    async fn number(connection: &mut SqliteConnection, sql: &'static str) -> Result<i64, Fault> {
        Ok(sqlx::query_scalar(sql).fetch_one(connection).await?)
    }

    async fn readers(folder: &Path, limit: Duration) -> Readers {
        let path = folder.join("a.db");
        let options = Options { readers: 1, read_limit: limit, ..Options::default() };
        open::make_file(&path).expect("a file");
        drop(open::connect_writer(&path, &options).await.expect("a connection"));
        Readers::open(&path, &options).await.expect("readers")
    }

    #[tokio::test]
    async fn a_read_without_end_is_interrupted_and_its_connection_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let readers = readers(folder.path(), Duration::from_millis(50)).await;
        let endless = readers.run(|connection| Box::pin(number(connection, ENDLESS))).await;
        assert!(matches!(endless, Err(StoreError::Unavailable(_))), "{endless:?}");
        assert_eq!(readers.run(|connection| Box::pin(number(connection, "SELECT 7"))).await, Ok(7));
    }

    #[tokio::test]
    async fn a_reader_who_leaves_gives_the_connection_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let readers = readers(folder.path(), Duration::from_secs(60)).await;
        {
            let mut left = Box::pin(readers.run(|connection| Box::pin(number(connection, ENDLESS))));
            assert!(futures::poll!(&mut left).is_pending());
        }
        assert_eq!(readers.run(|connection| Box::pin(number(connection, "SELECT 7"))).await, Ok(7));
    }
}
