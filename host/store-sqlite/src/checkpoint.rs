//! Checkpoints, outside of commits: a task of their own moves the log into the file while the writer goes on.

use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use std::path::Path;
use tokio::sync::{mpsc, oneshot};

/// Bytes of log that are worth a passive checkpoint.
const PASSIVE_BYTES: i64 = 16 << 20;

/// Bytes of log at which the writer pauses: passive ones did not keep up, or readers were in the way.
const TRUNCATE_BYTES: u64 = 128 << 20;

/// Commits, or bytes of new log file, between two looks at the log.
const LOOK_COMMITS: u32 = 16;
const LOOK_BYTES: u64 = 4 << 20;

/// What the writer knows of checkpoints.
pub(crate) struct Checkpointer {
    looks: mpsc::Sender<Option<oneshot::Sender<()>>>,
    commits: u32,
    looked_at: u64,
    truncated_at: u64,
}

impl Checkpointer {
    pub fn start(connection: SqliteConnection) -> Self {
        let (looks, asked) = mpsc::channel(1);
        tokio::spawn(run(connection, asked));
        Self { looks, commits: 0, looked_at: 0, truncated_at: 0 }
    }

    /// After each transaction: asks for a look now and then, and truncates the log where it grew too far.
    pub async fn committed(&mut self, wal: &Path, writer: &mut SqliteConnection) {
        self.commits += 1;
        let bytes = std::fs::metadata(wal).map_or(0, |file| file.len());
        if self.commits >= LOOK_COMMITS || bytes >= self.looked_at + LOOK_BYTES {
            self.commits = 0;
            self.looked_at = bytes;
            let _ = self.looks.try_send(None); // one is under way already
        }
        if bytes >= TRUNCATE_BYTES && bytes >= self.truncated_at + LOOK_BYTES {
            // A reader may be in the way: try again some megabytes later.
            self.truncated_at =
                if checkpoint(writer, "PRAGMA wal_checkpoint(TRUNCATE)").await == 0 { bytes } else { 0 };
            self.looked_at = 0;
        }
    }

    /// Ends the task and waits until its connection is closed.
    pub async fn stop(&mut self) {
        let (stopped, done) = oneshot::channel();
        if self.looks.send(Some(stopped)).await.is_ok() {
            let _ = done.await; // an error means that the task has ended too
        }
    }
}

async fn run(mut connection: SqliteConnection, mut asked: mpsc::Receiver<Option<oneshot::Sender<()>>>) {
    let mut stop = None;
    while let Some(order) = asked.recv().await {
        if order.is_some() {
            stop = order;
            break;
        }
        if waiting_bytes(&mut connection).await >= PASSIVE_BYTES {
            checkpoint(&mut connection, "PRAGMA wal_checkpoint(PASSIVE)").await;
        }
    }
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "the checkpoint connection did not close cleanly");
    }
    if let Some(stopped) = stop {
        let _ = stopped.send(()); // the writer may be gone
    }
}

/// Bytes of log that are not in the file yet.
async fn waiting_bytes(connection: &mut SqliteConnection) -> i64 {
    let looked: Result<(i64, i64, i64), _> =
        sqlx::query_as("PRAGMA wal_checkpoint(NOOP)").fetch_one(&mut *connection).await;
    looked.map_or(0, |(_, log, done)| (log - done) * PAGE)
}

/// Bytes of a page: SQLite's default, which we do not change.
const PAGE: i64 = 4096;

/// Frames moved; 0 if it was refused. A checkpoint that fails is tried again later, and nothing is lost by it.
async fn checkpoint(connection: &mut SqliteConnection, sql: &'static str) -> i64 {
    let done: Result<(i64, i64, i64), _> = sqlx::query_as(sql).fetch_one(&mut *connection).await;
    match done {
        Ok((busy, _, _)) if busy != 0 => 0,
        Ok((_, _, moved)) => moved.max(1),
        Err(error) => {
            tracing::warn!(%error, "a checkpoint failed; it is tried again");
            0
        }
    }
}
