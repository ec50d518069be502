//! Errors: what opening may meet, and what SQLite says in the store's words.

use railhead_store::StoreError;
use std::path::PathBuf;

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("{0} is in use by another host; one SQLite file serves one host at a time")]
    InUse(PathBuf),
    /// The file or its folder cannot be made or opened.
    #[error("cannot open {path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A newer program wrote it.
    #[error("the database has schema version {found}, this program knows up to {known}; run a newer program")]
    Newer {
        /// Of the file.
        found: i64,
        /// Of this program.
        known: i64,
    },
    /// It must be migrated first.
    #[error("the database has schema version {found}, this program needs {known}: migrate it first")]
    Pending {
        /// Of the file.
        found: i64,
        /// Of this program.
        known: i64,
    },
    /// SQLite refused.
    #[error("cannot open the database: {0}")]
    Sqlite(String),
}

impl OpenError {
    /// A stable code for people and scripts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InUse(_) => "database-in-use",
            Self::File { .. } => "database-file",
            Self::Newer { .. } => "database-newer",
            Self::Pending { .. } => "database-not-migrated",
            Self::Sqlite(_) => "database-refused",
        }
    }
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sqlite(error.to_string())
    }
}

/// What an intent or a read met: SQLite's word, or the store's own.
#[derive(Debug)]
pub(crate) enum Fault {
    Sql(sqlx::Error),
    Store(StoreError),
}

/// The result of an intent's or a read's inside.
pub(crate) type Res<T> = Result<T, Fault>;

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Store(error) => error,
            Fault::Sql(error) => from_sqlite(&error),
        }
    }
}

/// A stored value that cannot be read.
pub(crate) fn damaged(what: &str) -> Fault {
    Fault::Store(StoreError::Damaged(what.to_owned()))
}

/// The primary result code of SQLite, if it was SQLite that refused.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// The store's word for SQLite's error, where it is sure that nothing was done.
pub(crate) fn from_sqlite(error: &sqlx::Error) -> StoreError {
    match primary_code(error) {
        // BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL
        Some(5 | 6 | 7 | 8 | 9 | 10 | 13 | 14 | 15) => StoreError::Unavailable(error.to_string()),
        Some(_) => StoreError::Damaged(error.to_string()),
        None => match error {
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::RowNotFound => {
                StoreError::Damaged(error.to_string())
            }
            other => StoreError::Unavailable(other.to_string()),
        },
    }
}

/// The same for COMMIT: after an I/O error the log may hold the commit, and be read again after a crash.
pub(crate) fn from_commit(error: &sqlx::Error) -> StoreError {
    match primary_code(error) {
        Some(10) | None => StoreError::Unknown(error.to_string()),
        _ => from_sqlite(error),
    }
}
