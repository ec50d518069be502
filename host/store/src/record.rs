//! Record: an attempt and the delivery's new state in one commit, fenced.

use crate::StoreError;
use async_trait::async_trait;
use bytes::Bytes;
use railhead_model::{Attempt, AttemptKey, DeliveryKey, End, HostId, TenantNo, Timestamp};

/// What is to be recorded of one delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Which.
    pub key: DeliveryKey,
    /// Whose.
    pub tenant: TenantNo,
    /// The `rev` that the owner loaded.
    pub rev: u32,
    /// The new state.
    pub change: Change,
    /// The attempt that led to it; `None` where none was made (expired, cancelled).
    pub attempt: Option<Attempt>,
    /// Its sealed transcript.
    pub transcript: Option<Bytes>,
    /// Where the transcript is that of a request which carried several deliveries: what it is sealed for. It is stored
    /// once under that key, and the attempts of all of them refer to it. The key is not an attempt's, and is never used
    /// for another transcript; its event is of the same UTC day as this one's, and both go with that day.
    pub owner: Option<AttemptKey>,
}

/// A delivery's new state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Waits again.
    Retry {
        /// Not before this.
        due: Timestamp,
        /// Attempts of the schedule used up.
        attempts: u32,
        /// Start of the first attempt.
        since: Timestamp,
    },
    /// It came to an end.
    End {
        /// To which.
        end: End,
        /// Stable code of why.
        code: String,
        /// When.
        at: Timestamp,
        /// Attempts of the schedule used up.
        attempts: u32,
    },
}

/// What came of one recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordAnswer {
    /// Done; the row's new rev (meaningless after an end).
    Applied(u32),
    /// The row changed since it was loaded, or has ended. The attempt is on record; the state is not changed. Read it
    /// again. A batch that is sent again finds its own changes so.
    Refused,
}

/// What was started by so many hosts without an end is not started again.
pub const POISON_STARTS: u32 = 3;

/// What came of asking to put a start on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// On record: start it.
    Go,
    /// Other hosts started this attempt and did not bring it to an end: it is to be started alone. Nothing changed.
    Alone,
    /// [`POISON_STARTS`] hosts started this attempt, and none brought it to an end. Nothing changed.
    Poisoned,
    /// It waits no longer, or it changed at this moment: read it again.
    Gone,
}

/// Only the owner records.
#[async_trait]
pub trait Record: Send + Sync + 'static {
    /// Records a batch in one commit and answers in its order.
    ///
    /// A retry updates the work row (`rev + 1`, `tries` = the attempt's `n`) and inserts the attempt; an end deletes the
    /// work row and inserts the delivery, with the last attempt inline. A transcript with an owner is stored under the
    /// owner, once, in the same commit.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]: nothing was written.
    async fn record(&self, host: HostId, batch: &[Recording]) -> Result<Vec<RecordAnswer>, StoreError>;

    /// Puts on record, before the first byte is sent, that this host starts these deliveries; answers in their order. A
    /// host counts once for one attempt, so repeating is harmless; a recorded attempt is the end of its starts.
    ///
    /// `alone`: nothing else is started here until the end of these is on record. What other hosts have started without
    /// an end is started only so: when this host dies too, nothing else is to blame.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]: nothing was written.
    async fn start(&self, host: HostId, deliveries: &[DeliveryKey], alone: bool) -> Result<Vec<Started>, StoreError>;

    /// Takes this host's starts of these deliveries back: they came to rest, and no attempt of them is recorded. What
    /// other hosts started counts on.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]: nothing was written.
    async fn unstart(&self, host: HostId, deliveries: &[DeliveryKey]) -> Result<(), StoreError>;
}
