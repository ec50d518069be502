//! One delivery in memory.

use railhead_model::{DeliveryKey, DestinationNo, EventUid, Origin, Timestamp};

/// A delivery within its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::core) struct Slot {
    pub event: EventUid,
    pub run: u32,
}

impl Slot {
    pub fn key(self, destination: DestinationNo) -> DeliveryKey {
        DeliveryKey { event: self.event, destination, run: self.run }
    }
}

impl From<DeliveryKey> for Slot {
    fn from(key: DeliveryKey) -> Self {
        Self { event: key.event, run: key.run }
    }
}

/// Where a delivery is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::core) enum Place {
    /// Can be started when it is due, or follows in its lane.
    Waiting,
    /// Member of a stable batch that is not running.
    Batched,
    /// In a hand-over.
    Running,
    /// Its result is not durable yet.
    Held,
}

/// One delivery without its payload. With its [`Slot`] at most 64 bytes.
#[derive(Clone, Copy, Debug)]
pub(in crate::core) struct Entry {
    pub due: Timestamp,
    pub since: Option<NonMin>,
    pub rev: u32,
    pub attempts: u32,
    pub tries: u32,
    /// Bytes of the payload; 0: unknown.
    pub bytes: u32,
    pub origin: Origin,
    pub place: Place,
    /// It was read from the store as new: its push may still come.
    pub unheard: bool,
    /// The refill that it was last changed under: such a refill's answer may be older than the entry.
    pub(super) stamp: u16,
}

/// A time that leaves room for `None` in its eight bytes: shifted by one, never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::core) struct NonMin(std::num::NonZeroI64);

impl NonMin {
    pub fn new(at: Timestamp) -> Option<Self> {
        std::num::NonZeroI64::new(at.0.wrapping_add(1)).map(Self)
    }

    pub fn get(self) -> Timestamp {
        Timestamp(self.0.get().wrapping_sub(1))
    }
}

impl Entry {
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.place, Place::Waiting | Place::Batched)
    }

    pub(super) fn is_busy(&self) -> bool {
        !self.is_waiting()
    }

    pub(super) fn is_replay(&self) -> bool {
        matches!(self.origin, Origin::Replay | Origin::Backfill)
    }
}
