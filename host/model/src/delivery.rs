//! A delivery's states and ends.

use serde::{Deserialize, Serialize};

/// What a delivery came to: final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum End {
    /// The destination has it.
    Delivered = 0,
    /// Gave up: a dead letter.
    Dead = 1,
    /// Waited longer than its payload is kept.
    Expired = 2,
    /// Somebody cancelled it, or deleted its destination.
    Cancelled = 3,
}

impl End {
    /// Every end, in the order of its number.
    pub const ALL: [Self; 4] = [Self::Delivered, Self::Dead, Self::Expired, Self::Cancelled];

    /// The end of a stored number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// What the API answers for a delivery at a moment: `pending`, `retrying`, then its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waits for its first attempt, or for its destination.
    Pending,
    /// Was tried; waits for the next attempt.
    Retrying,
    /// [`End::Delivered`].
    Delivered,
    /// [`End::Dead`].
    Dead,
    /// [`End::Expired`].
    Expired,
    /// [`End::Cancelled`].
    Cancelled,
}

impl From<End> for DeliveryState {
    fn from(end: End) -> Self {
        match end {
            End::Delivered => Self::Delivered,
            End::Dead => Self::Dead,
            End::Expired => Self::Expired,
            End::Cancelled => Self::Cancelled,
        }
    }
}

impl DeliveryState {
    /// The word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Retrying => "retrying",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What made a delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Origin {
    /// The publish of its event.
    #[default]
    Publish = 0,
    /// A person's retry of one ended delivery.
    Retry = 1,
    /// A replay job.
    Replay = 2,
    /// A backfill job.
    Backfill = 3,
    /// A test of the destination.
    Test = 4,
}

impl Origin {
    /// Every origin, in the order of its number.
    pub const ALL: [Self; 5] = [Self::Publish, Self::Retry, Self::Replay, Self::Backfill, Self::Test];

    /// The origin of a stored number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}
