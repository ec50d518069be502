//! The writer: one task, one connection. Intents that wait at the same moment share a transaction.
//!
//! An answer leaves only after COMMIT returned. The task owns what it was sent: a caller that leaves cancels nothing.

use crate::checkpoint::Checkpointer;
use crate::error::{Fault, from_commit, from_sqlite};
use futures::future::BoxFuture;
use railhead_store::StoreError;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{mpsc, oneshot};

/// Commits of the store: its own, whatever number of intents shares each.
const COMMITS: &str = "railhead_store_commits_total";

/// Intents that wait for the writer at most; beyond it callers wait to be taken.
const QUEUE: usize = 1024;

/// Intents of one transaction at most, so that the first does not wait for ever longer ones.
const TOGETHER: usize = 64;

/// The handle of the writer task.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Order>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    commits: AtomicU64,
    intents: AtomicU64,
}

enum Order {
    Run(Box<dyn Intent>),
    Close(oneshot::Sender<()>),
}

impl Writer {
    pub fn start(connection: SqliteConnection, checkpointer: Checkpointer, wal: PathBuf, lock: File) -> Self {
        let (queue, orders) = mpsc::channel(QUEUE);
        let counts = Arc::new(Counts::default());
        let task = Task { connection, orders, counts: Arc::clone(&counts), checkpointer, wal, _lock: lock };
        tokio::spawn(task.run());
        Self { queue, counts }
    }

    /// Runs `work` in a transaction and answers once that is committed.
    pub async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, Fault>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let intent = Pending { work: Some(work), done: None, answer };
        let closed = |_| StoreError::Unavailable("the store is closed".to_owned());
        self.queue.send(Order::Run(Box::new(intent))).await.map_err(closed)?;
        answered.await.unwrap_or_else(|_| Err(StoreError::Unknown("the store was closed".to_owned())))
    }

    pub async fn close(&self) {
        let (closed, done) = oneshot::channel();
        if self.queue.send(Order::Close(closed)).await.is_ok() {
            let _ = done.await; // an error means that the task has ended too
        }
    }

    /// Commits, and intents that took part in them.
    pub fn counts(&self) -> (u64, u64) {
        (self.counts.commits.load(Ordering::Relaxed), self.counts.intents.load(Ordering::Relaxed))
    }
}

/// A piece of work with the caller who waits for its answer.
trait Intent: Send {
    /// Does the work. False: it failed, and what it did must be rolled back.
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, bool>;
    /// Answers: with its own result, or with why the transaction was not committed.
    fn answer(self: Box<Self>, commit: Result<(), StoreError>);
}

struct Pending<T, F> {
    work: Option<F>,
    done: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Intent for Pending<T, F>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, Fault>> + Send + 'static,
{
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, bool> {
        Box::pin(async move {
            let Some(work) = self.work.take() else { return false };
            let done = work(connection).await.map_err(StoreError::from);
            let fine = done.is_ok();
            self.done = Some(done);
            fine
        })
    }

    fn answer(self: Box<Self>, commit: Result<(), StoreError>) {
        let never = || Err(StoreError::Unavailable("the transaction was not begun".to_owned()));
        let answer = match (self.done, commit) {
            (Some(Err(own)), _) => Err(own), // rolled back alone, whatever became of the others
            (_, Err(error)) => Err(error),
            (done, Ok(())) => done.unwrap_or_else(never),
        };
        let _ = self.answer.send(answer); // the caller may have left
    }
}

struct Task {
    connection: SqliteConnection,
    orders: mpsc::Receiver<Order>,
    counts: Arc<Counts>,
    checkpointer: Checkpointer,
    wal: PathBuf,
    _lock: File, // held until the connection is closed
}

impl Task {
    async fn run(mut self) {
        let mut closing = None;
        while closing.is_none() {
            let Some(first) = self.orders.recv().await else { break };
            let mut together = Vec::new();
            let mut next = Some(first);
            while let Some(order) = next {
                match order {
                    Order::Run(intent) => together.push(intent),
                    Order::Close(closed) => closing = Some(closed),
                }
                let more = together.len() < TOGETHER && closing.is_none();
                next = if more { self.orders.try_recv().ok() } else { None };
            }
            if !together.is_empty() {
                self.transact(together).await;
            }
        }
        self.checkpointer.stop().await;
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the database did not close cleanly; nothing committed is lost");
        }
        if let Some(closed) = closing {
            let _ = closed.send(()); // who asked may have left
        }
    }

    async fn transact(&mut self, mut together: Vec<Box<dyn Intent>>) {
        let outcome = match self.begin().await {
            Ok(()) => self.run_all(&mut together).await,
            Err(error) => Err(from_sqlite(&error)),
        };
        if outcome.is_ok() {
            self.counts.commits.fetch_add(1, Ordering::Relaxed);
            metrics::counter!(COMMITS).increment(1);
            self.counts.intents.fetch_add(together.len() as u64, Ordering::Relaxed);
        }
        for intent in together {
            intent.answer(outcome.clone());
        }
        self.checkpointer.committed(&self.wal, &mut self.connection).await;
    }

    async fn begin(&mut self) -> Result<(), sqlx::Error> {
        let begun = self.execute("BEGIN IMMEDIATE").await;
        if begun.is_err() {
            // A rollback that could not be done earlier would be in the way; without one this changes nothing.
            let _ = self.execute("ROLLBACK").await;
        }
        begun
    }

    async fn run_all(&mut self, together: &mut [Box<dyn Intent>]) -> Result<(), StoreError> {
        if let [only] = together {
            if !only.run(&mut self.connection).await {
                self.roll_back().await;
                return Ok(()); // its own error is its answer
            }
            return self.commit().await;
        }
        for intent in together {
            self.run_apart(intent.as_mut()).await?;
        }
        self.commit().await
    }

    /// Runs one intent in a savepoint. An error here means that SQLite rolled the whole transaction back.
    async fn run_apart(&mut self, intent: &mut dyn Intent) -> Result<(), StoreError> {
        let begun = self.execute("SAVEPOINT intent").await;
        let fine = begun.is_ok() && intent.run(&mut self.connection).await;
        let ended = match (begun, fine) {
            (Err(error), _) => Err(error),
            (Ok(()), true) => self.execute("RELEASE intent").await,
            (Ok(()), false) => self.execute("ROLLBACK TO intent; RELEASE intent").await,
        };
        if let Err(error) = ended {
            self.roll_back().await;
            return Err(StoreError::Unavailable(format!("the shared transaction was rolled back: {error}")));
        }
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        let Err(error) = self.execute("COMMIT").await else { return Ok(()) };
        self.roll_back().await;
        Err(from_commit(&error))
    }

    async fn roll_back(&mut self) {
        // Fails where SQLite did it by itself.
        let _ = self.execute("ROLLBACK").await;
    }

    async fn execute(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        sqlx::query(sql).execute(&mut self.connection).await.map(drop)
    }
}
