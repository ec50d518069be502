//! Why the schema is not as this program needs it.

use railhead_store::StoreError;

/// Each has a code that stays, and says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// A newer program migrated, and its schema is not for this one.
    #[error("the database has migration {theirs:04}, and this program knows up to {ours:04}: use a newer program")]
    TooNew {
        /// The newest migration of the database.
        theirs: i32,
        /// The newest of this program.
        ours: i32,
    },
    /// An applied migration is not the one that this program has.
    #[error("migration {name} of the database is not this program's: it was made by another program, or edited since")]
    Changed {
        /// Its number and name.
        name: String,
    },
    /// A transaction of somebody else held what a migration must lock. Nothing of it was applied.
    #[error("migration {name} found its tables in use {tries} times and was not applied; {holders}; run it again")]
    Blocked {
        /// Its number and name.
        name: String,
        /// How often it was tried.
        tries: u32,
        /// The oldest open transactions, for a person.
        holders: String,
    },
    /// Another migration runs.
    #[error("another `railhead migrate` is still at work on this database; run it again when that has ended")]
    Elsewhere,
    /// The reading role is not there, or this user is not its member, and may not change that.
    #[error("the reading role {role} is missing; as an administrator of the server run: {sql} Then `railhead migrate`")]
    ReaderMissing {
        /// Its name.
        role: String,
        /// What makes it.
        sql: String,
    },
    /// The reading role may not read what it must: it was made, and the last step of the migration is missing.
    #[error("the reading role {role} lacks its grants: run `railhead migrate`")]
    ReaderUngranted {
        /// Its name.
        role: String,
    },
    /// The reading role would see everything.
    #[error(
        "row-level security does not bind the role {role}: it must be no superuser, have no BYPASSRLS, and not be a member of the tables' owner"
    )]
    ReaderUnbound {
        /// Its name.
        role: String,
    },
    /// The database refused.
    #[error("migration {name} failed and was not applied: {error}")]
    Failed {
        /// Its number and name.
        name: String,
        /// Why.
        error: StoreError,
    },
    /// The database cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SchemaError {
    /// For scripts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooNew { .. } => "schema-too-new",
            Self::Changed { .. } => "migration-changed",
            Self::Blocked { .. } => "migration-blocked",
            Self::Elsewhere => "migration-elsewhere",
            Self::ReaderMissing { .. } => "reader-role-missing",
            Self::ReaderUngranted { .. } => "reader-role-ungranted",
            Self::ReaderUnbound { .. } => "reader-role-unbound",
            Self::Failed { .. } => "migration-failed",
            Self::Store(_) => "database-unavailable",
        }
    }

    /// True if the same may work later, with nothing changed by a person.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Blocked { .. } | Self::Elsewhere => true,
            Self::Failed { error, .. } | Self::Store(error) => error.is_retryable(),
            _ => false,
        }
    }
}
