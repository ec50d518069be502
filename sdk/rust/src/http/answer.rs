//! What an answer means for the events that its request carried.

use super::Response;
use crate::Schema;
use crate::types::{Outcome, Reason};
use serde::Deserialize;
use std::ops::RangeInclusive;
use std::time::UNIX_EPOCH;

/// What a status can mean. An owner can be given the choice: it is a configuration's value too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
#[schema(description = "")]
pub enum Class {
    /// It arrived.
    Delivered,
    /// Slow down.
    Throttled,
    /// Try again.
    Transient,
    /// Give this event up.
    Permanent,
    /// Wait until somebody acts.
    Misconfigured,
    /// Wait until somebody mends the credential.
    RejectedCredentials,
}

/// What statuses mean where a destination's documentation says nothing else; the first row that has one counts. What is in no
/// row is tried again: 3xx, 5xx, and what no server should answer with.
pub const USUAL: &[(RangeInclusive<u16>, Class)] = &[
    (200..=299, Class::Delivered),
    (401..=401, Class::RejectedCredentials),
    (403..=403, Class::RejectedCredentials),
    (407..=407, Class::RejectedCredentials),
    (404..=404, Class::Transient),
    (408..=409, Class::Transient),
    (425..=425, Class::Transient),
    (429..=429, Class::Throttled),
    (400..=499, Class::Permanent),
];

/// What a status usually means.
pub fn usual(status: u16) -> Class {
    USUAL.iter().find(|(statuses, _)| statuses.contains(&status)).map_or(Class::Transient, |(_, class)| *class)
}

/// How long a destination is left alone that wants less and does not say for how long.
const DEFAULT_THROTTLE_MS: u64 = 30_000;

/// What a classification reads of an answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Milliseconds since 1970, for dates in `retry-after`.
    pub now_ms: u64,
}

impl Answer {
    /// Reads an answer; `now_ms` is [`Call::now_ms`](crate::host::Call::now_ms).
    pub fn of(response: &Response, now_ms: u64) -> Self {
        Self { status: response.status(), headers: response.headers(), now_ms }
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// How long to wait, in milliseconds, where the destination said so: `Retry-After` (RFC 9110, 10.2.3), seconds or a
    /// date in any of the three forms. A date that has passed is 0.
    pub fn retry_after_ms(&self) -> Option<u64> {
        let value = self.header("retry-after")?.trim();
        if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(value.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(1000));
        }
        let at = httpdate::parse_http_date(value).ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(u64::try_from(at.as_millis()).unwrap_or(u64::MAX).saturating_sub(self.now_ms))
    }

    /// The code `http-<status>`, a message, and the status. `who` begins the message: `The bucket`.
    pub fn reason(&self, who: &str) -> Reason {
        Reason::new(format!("http-{}", self.status), say(who, self.status)).with_status(self.status)
    }

    /// The outcome of a class, with this answer's waiting time where one counts.
    pub fn outcome(&self, class: Class, reason: Reason) -> Outcome {
        match class {
            Class::Delivered => Outcome::Delivered(reason),
            Class::Throttled => Outcome::Throttled((reason, self.retry_after_ms().unwrap_or(DEFAULT_THROTTLE_MS))),
            Class::Transient => Outcome::Transient((reason, self.retry_after_ms())),
            Class::Permanent => Outcome::Permanent(reason),
            Class::Misconfigured => Outcome::Misconfigured(reason),
            Class::RejectedCredentials => Outcome::RejectedCredentials(reason),
        }
    }

    /// The outcome of the usual class for a request of so many events.
    ///
    /// A refusal of several together is [`Outcome::TooLarge`]: too many, or one among them that the destination cannot take;
    /// with fewer in a request the others arrive.
    pub fn usual_outcome(&self, who: &str, events: usize) -> Outcome {
        match usual(self.status) {
            Class::Permanent if events > 1 => Outcome::TooLarge(self.refused_together(who, events)),
            class => self.outcome(class, self.reason(who)),
        }
    }

    /// Why several events go in smaller batches.
    pub fn refused_together(&self, who: &str, events: usize) -> Reason {
        let message = format!("{who} answered {} to {events} events; they go in smaller batches.", self.status);
        Reason { message, ..self.reason(who) }
    }
}

fn say(who: &str, status: u16) -> String {
    let more = match status {
        200..=299 => ".",
        300..=399 => "; redirects are not followed. Set the address it points to.",
        401 | 403 | 407 => ": it does not accept what we authenticate with.",
        404 => ": there is nothing at this address.",
        410 => ": it is gone for good.",
        413 => ": the event is too large for it.",
        429 => ": it gets too many requests.",
        400..=499 => ": it refuses this event.",
        500..=599 => ": it failed.",
        _ => ", which is not a status.",
    };
    format!("{who} answered {status}{more}")
}

#[cfg(test)]
mod tests;
