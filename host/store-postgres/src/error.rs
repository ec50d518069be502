//! What a database error means for the caller: nothing done, not known, or never possible.

use crate::lent::committed;
use railhead_store::StoreError;
use sqlx::Error;
use sqlx::error::DatabaseError;

/// What [`StoreError::NotFound`] carries inside this crate if a row's day has no partition (yet).
pub const NO_PARTITION: &str = "day partition";

/// An error before anything was sent, of a read, or of a step inside a transaction that was not committed.
pub fn undone(error: Error) -> StoreError {
    match error {
        Error::Database(error) => refused(&*error),
        Error::ColumnDecode { .. }
        | Error::ColumnNotFound(_)
        | Error::Decode(_)
        | Error::ColumnIndexOutOfBounds { .. } => StoreError::Damaged(error.to_string()),
        Error::Configuration(_) | Error::Encode(_) | Error::InvalidArgument(_) => {
            StoreError::Damaged(error.to_string())
        }
        other => StoreError::Unavailable(other.to_string()),
    }
}

/// An error of a statement that commits by itself, or of `COMMIT`: if the connection broke, it may have been done.
pub fn committing(error: Error) -> StoreError {
    match error {
        Error::Database(error) if lost(&*error) => StoreError::Unknown(words(&*error)),
        Error::Io(_) | Error::Protocol(_) | Error::Tls(_) | Error::WorkerCrashed => {
            StoreError::Unknown(error.to_string())
        }
        other => undone(other),
    }
}

/// Of a statement that commits by itself.
pub trait Commits<T> {
    /// Counts the commit, or says with [`committing`] why there was none.
    fn commits(self) -> Result<T, StoreError>;
}

impl<T> Commits<T> for Result<T, Error> {
    fn commits(self) -> Result<T, StoreError> {
        self.map_err(committing).inspect(|_| committed())
    }
}

/// The server ended the session; a commit that was waiting may have happened.
fn lost(error: &dyn DatabaseError) -> bool {
    matches!(error.code().as_deref(), Some("57P01" | "57P02" | "57P05")) || class(error, "08")
}

fn refused(error: &dyn DatabaseError) -> StoreError {
    let code = error.code().unwrap_or_default().into_owned();
    match code.as_str() {
        "23505" => StoreError::Conflict("another write made the same one meanwhile".to_owned()),
        "42P01" | "42703" => StoreError::Damaged("the schema is missing or old: run `railhead migrate`".to_owned()),
        // Our tables have no check constraints: only a missing partition refuses a row so.
        "23514" if error.constraint().is_none() => StoreError::NotFound(NO_PARTITION),
        // Deadlock and serialization (40), resources, disk full, connections (53), locks, timeouts, shutdown (55, 57),
        // I/O (58), a standby or a read-only transaction (25006), connection (08).
        "25006" => StoreError::Unavailable(words(error)),
        _ if ["08", "40", "53", "55", "57", "58"].iter().any(|c| class(error, c)) => {
            StoreError::Unavailable(words(error))
        }
        // The server's words would quote the data.
        _ if class(error, "22") => StoreError::Damaged(format!("a value does not fit its column (SQLSTATE {code})")),
        _ => StoreError::Damaged(words(error)),
    }
}

fn class(error: &dyn DatabaseError, class: &str) -> bool {
    error.code().is_some_and(|code| code.starts_with(class))
}

fn words(error: &dyn DatabaseError) -> String {
    format!("{} (SQLSTATE {})", error.message(), error.code().unwrap_or_default())
}
