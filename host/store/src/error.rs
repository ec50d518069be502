//! Why a store did not do what it was asked.

/// Says retry or fail where it is made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing was done; the same may work later (database locked, disk full, pool exhausted, no connection yet).
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// It may or may not have been done (connection lost at commit). Send the same batch again.
    #[error("the database did not answer: {0}")]
    Unknown(String),
    /// Another host took this host's shards over. Nothing was done; start again under a new host id.
    #[error("this host was fenced")]
    Fenced,
    /// Configuration changed since it was read (`If-Match`), or a name is taken.
    #[error("conflict: {0}")]
    Conflict(String),
    /// More wait than can join an order in one step ([`crate::directory::MAX_REORDERED`]). Nothing was done.
    #[error("too many deliveries wait")]
    TooManyWaiting,
    /// The tenant has as many replays that run as it may have ([`crate::jobs::MAX_RUNNING`]). Nothing was done.
    #[error("too many replays run")]
    TooManyReplays,
    /// What was referred to does not exist.
    #[error("not found: {0}")]
    NotFound(&'static str),
    /// What the database holds cannot be read. A bug, or damage; never silently skipped.
    #[error("the database holds something unreadable: {0}")]
    Damaged(String),
}

impl StoreError {
    /// True if the same call may be sent again unchanged.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Unknown(_))
    }
}
