//! Points in time, and where they come from.

mod machine;

pub use machine::SystemClock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
///
/// Printed and serialized as RFC 3339 in UTC with milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// Milliseconds in a UTC day.
pub const DAY_MS: i64 = 86_400_000;

impl Timestamp {
    /// `ms` milliseconds later (earlier if negative), saturating.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this; negative if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The UTC day: days since 1970-01-01.
    #[must_use]
    pub const fn day(self) -> i32 {
        self.0.div_euclid(DAY_MS) as i32
    }

    /// Reads RFC 3339 with any offset; digits beyond milliseconds are dropped.
    ///
    /// # Errors
    /// The parser's own words, for a person.
    pub fn parse(text: &str) -> Result<Self, String> {
        let at: jiff::Timestamp = text.parse().map_err(|error: jiff::Error| error.to_string())?;
        Ok(Self(at.as_millisecond()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Where the time comes from. A parameter everywhere: tests and the simulation bring their own.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// Milliseconds on a clock that never goes back, and goes on while the machine sleeps: leases of others run on then.
    /// Its zero means nothing.
    fn monotonic_ms(&self) -> u64;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_reads_rfc_3339_with_milliseconds() {
        let at = Timestamp(1_700_000_000_042);
        assert_eq!(at.to_string(), "2023-11-14T22:13:20.042Z");
        assert_eq!(Timestamp::parse("2023-11-14T23:13:20.042999+01:00"), Ok(at));
        assert!(Timestamp::parse("yesterday").is_err());
    }

    #[test]
    fn days_are_utc_days_on_both_sides_of_the_epoch() {
        assert_eq!(Timestamp(DAY_MS - 1).day(), 0);
        assert_eq!(Timestamp(DAY_MS).day(), 1);
        assert_eq!(Timestamp(-1).day(), -1);
    }
}
