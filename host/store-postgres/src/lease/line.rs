//! The connection that statements about leases have for themselves: what holds the pools up must not cost a host its
//! lease, and a pool would hand a silent connection out again.

use crate::error::{Commits as _, undone};
use railhead_store::StoreError;
use sqlx::postgres::{PgConnectOptions, PgTransactionManager};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use sqlx_core::transaction::TransactionManager as _;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// Holds one connection while nobody uses it. A clone is the same line.
#[derive(Clone)]
pub struct LeaseLine {
    options: PgConnectOptions,
    idle: Arc<Mutex<Option<PgConnection>>>,
}

/// A connection in use. Unless it is kept it is closed: after an error, or where its caller gave up, nobody knows what
/// it is in the middle of.
pub struct Held {
    connection: PgConnection,
    idle: Arc<Mutex<Option<PgConnection>>>,
}

/// A connection in a transaction. Unless that is committed it is closed, and all of it undone.
pub struct Begun(Held);

impl LeaseLine {
    /// Connects when it is first used.
    pub fn new(options: PgConnectOptions) -> Self {
        Self { options, idle: Arc::default() }
    }

    /// The connection, or a new one.
    pub async fn hold(&self) -> Result<Held, StoreError> {
        let connection = match take(&self.idle) {
            Some(connection) => connection,
            None => self.options.connect().await.map_err(|error| StoreError::Unavailable(error.to_string()))?,
        };
        Ok(Held { connection, idle: Arc::clone(&self.idle) })
    }

    /// The connection, in a transaction.
    pub async fn begin(&self) -> Result<Begun, StoreError> {
        let mut held = self.hold().await?;
        PgTransactionManager::begin(&mut held.connection, None).await.map_err(undone)?;
        Ok(Begun(held))
    }

    /// Says goodbye to the server.
    pub async fn close(&self) {
        if let Some(connection) = take(&self.idle) {
            let _ = connection.close().await; // whatever becomes of it, it is over
        }
    }
}

impl Held {
    /// It answered everything: the next caller may have it.
    pub fn keep(self) {
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.connection);
    }
}

impl Begun {
    /// Commits; an error here means that it is not known.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        PgTransactionManager::commit(&mut self.0.connection).await.commits()?;
        self.0.keep();
        Ok(())
    }
}

impl Deref for Begun {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for Begun {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}

impl Deref for Held {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

fn take(idle: &Mutex<Option<PgConnection>>) -> Option<PgConnection> {
    idle.lock().unwrap_or_else(PoisonError::into_inner).take()
}
