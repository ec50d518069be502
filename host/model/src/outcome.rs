//! What an attempt came to.

use serde::{Deserialize, Serialize};

/// Why: a stable code, words for the customer, and the destination's own word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Stable, kebab-case, open set: `http-503`, `timeout`, `cpu-limit`.
    pub code: String,
    /// For the customer. Masked, without control characters, at most [`Reason::MAX_MESSAGE`] bytes.
    pub message: String,
    /// The destination's own word for it, such as an HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

impl Reason {
    /// Bytes of a message that are kept.
    pub const MAX_MESSAGE: usize = 1024;

    /// A reason without the destination's own word.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), status: None }
    }
}

/// The outcome of one event's attempt, as the connector classed it (WIT `outcome`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Arrived, or was there already.
    Delivered(Reason),
    /// Not before so many milliseconds; slows the whole destination and costs no attempt.
    Throttled(Reason, u64),
    /// This event, later. `retry_after_ms`: the destination's own wish, which wins over the schedule.
    Transient(Reason, Option<u64>),
    /// May have arrived; retried under the same identity.
    Uncertain(Reason),
    /// This event never: dead letter.
    Permanent(Reason),
    /// Hand over fewer at once.
    TooLarge(Reason),
    /// Nothing gets through until a person acts.
    Misconfigured(Reason),
    /// The same, and the credential is the cause.
    RejectedCredentials(Reason),
    /// Never sent; costs no attempt.
    Untried(Reason),
}

/// [`Outcome`] without its reason: what rows and statistics carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum OutcomeClass {
    /// See [`Outcome::Delivered`].
    Delivered = 0,
    /// See [`Outcome::Throttled`].
    Throttled = 1,
    /// See [`Outcome::Transient`].
    Transient = 2,
    /// See [`Outcome::Uncertain`].
    Uncertain = 3,
    /// See [`Outcome::Permanent`].
    Permanent = 4,
    /// See [`Outcome::TooLarge`].
    TooLarge = 5,
    /// See [`Outcome::Misconfigured`].
    Misconfigured = 6,
    /// See [`Outcome::RejectedCredentials`].
    RejectedCredentials = 7,
    /// See [`Outcome::Untried`].
    Untried = 8,
}

impl OutcomeClass {
    /// Every class, in the order of its number.
    pub const ALL: [Self; 9] = [
        Self::Delivered,
        Self::Throttled,
        Self::Transient,
        Self::Uncertain,
        Self::Permanent,
        Self::TooLarge,
        Self::Misconfigured,
        Self::RejectedCredentials,
        Self::Untried,
    ];

    /// The class of a stored number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Throttled => "throttled",
            Self::Transient => "transient",
            Self::Uncertain => "uncertain",
            Self::Permanent => "permanent",
            Self::TooLarge => "too_large",
            Self::Misconfigured => "misconfigured",
            Self::RejectedCredentials => "rejected_credentials",
            Self::Untried => "untried",
        }
    }
}

impl Outcome {
    /// Its class.
    #[must_use]
    pub const fn class(&self) -> OutcomeClass {
        match self {
            Self::Delivered(_) => OutcomeClass::Delivered,
            Self::Throttled(..) => OutcomeClass::Throttled,
            Self::Transient(..) => OutcomeClass::Transient,
            Self::Uncertain(_) => OutcomeClass::Uncertain,
            Self::Permanent(_) => OutcomeClass::Permanent,
            Self::TooLarge(_) => OutcomeClass::TooLarge,
            Self::Misconfigured(_) => OutcomeClass::Misconfigured,
            Self::RejectedCredentials(_) => OutcomeClass::RejectedCredentials,
            Self::Untried(_) => OutcomeClass::Untried,
        }
    }

    /// Its reason.
    #[must_use]
    pub const fn reason(&self) -> &Reason {
        match self {
            Self::Delivered(reason)
            | Self::Throttled(reason, _)
            | Self::Transient(reason, _)
            | Self::Uncertain(reason)
            | Self::Permanent(reason)
            | Self::TooLarge(reason)
            | Self::Misconfigured(reason)
            | Self::RejectedCredentials(reason)
            | Self::Untried(reason) => reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_words_of_classes_are_one_to_one() {
        for class in OutcomeClass::ALL {
            assert_eq!(OutcomeClass::from_number(class as u8), Some(class));
            assert_eq!(serde_json::to_value(class).ok(), Some(class.as_str().into()));
        }
        assert_eq!(OutcomeClass::from_number(9), None);
    }
}
