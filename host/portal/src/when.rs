//! Times and durations in words.

use railhead_model::Timestamp;
use serde::Deserialize;
use std::fmt;

/// A point in time: `2026-11-23 15:04:05.123`, in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct When(pub Timestamp);

impl When {
    /// For `datetime="…"`.
    #[must_use]
    pub fn iso(&self) -> String {
        self.0.to_string()
    }

    /// The time of day.
    #[must_use]
    pub fn clock(&self) -> String {
        let text = self.to_string();
        text.split_once(' ').map_or_else(|| text.clone(), |(_, clock)| clock.to_owned())
    }

    /// `+12 ms` since another moment.
    #[must_use]
    pub fn after(&self, earlier: &Self) -> String {
        let ms = self.0.since(earlier.0);
        if ms < 0 { format!("−{}", Span(ms.unsigned_abs())) } else { format!("+{}", Span(ms.unsigned_abs())) }
    }

    /// `4 s ago`, `in 3 min`.
    #[must_use]
    pub fn from(&self, now: &Self) -> String {
        let ms = now.0.since(self.0);
        match ms {
            -999..=999 => "now".to_owned(),
            1_000.. => format!("{} ago", Span(ms.unsigned_abs())),
            _ => format!("in {}", Span(ms.unsigned_abs())),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let iso = self.0.to_string();
        f.write_str(&iso.replacen('T', " ", 1).replace('Z', ""))
    }
}

/// A duration in milliseconds: its two largest units. Number and unit stay on one line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Span(pub u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let two = |f: &mut fmt::Formatter<'_>, large, name, small, unit| match small {
            0 => write!(f, "{large}\u{a0}{name}"),
            small => write!(f, "{large}\u{a0}{name} {small}\u{a0}{unit}"),
        };
        let seconds = self.0 / 1_000;
        match self.0 {
            0..=999 => write!(f, "{}\u{a0}ms", self.0),
            1_000..=9_999 => write!(f, "{}.{}\u{a0}s", seconds, self.0 / 100 % 10),
            10_000..=59_999 => write!(f, "{seconds}\u{a0}s"),
            60_000..=3_599_999 => two(f, seconds / 60, "min", seconds % 60, "s"),
            3_600_000..=86_399_999 => two(f, seconds / 3_600, "h", seconds / 60 % 60, "min"),
            _ => two(f, seconds / 86_400, "d", seconds / 3_600 % 24, "h"),
        }
    }
}

/// A duration in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Micros(pub u64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..=999 => write!(f, "{}\u{a0}µs", self.0),
            1_000..=99_999 => write!(f, "{}.{}\u{a0}ms", self.0 / 1_000, self.0 / 100 % 10),
            more => Span(more / 1_000).fmt(f),
        }
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..=1_023 => write!(f, "{}\u{a0}B", self.0),
            1_024..=1_048_575 => write!(f, "{}.{}\u{a0}KiB", self.0 / 1_024, self.0 % 1_024 * 10 / 1_024),
            _ => write!(f, "{}.{}\u{a0}MiB", self.0 / 1_048_576, self.0 % 1_048_576 * 10 / 1_048_576),
        }
    }
}

/// A count, in groups of three digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Count(pub u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_read_them() {
        let at = When(Timestamp::parse("2026-11-23T15:04:05.123Z").expect("a time"));
        assert_eq!((at.to_string().as_str(), at.clock().as_str()), ("2026-11-23 15:04:05.123", "15:04:05.123"));
        let later = When(at.0.plus_ms(4_210));
        assert_eq!((later.after(&at), at.after(&later)), ("+4.2\u{a0}s".into(), "−4.2\u{a0}s".into()));
        assert_eq!(
            (at.from(&later), later.from(&at), at.from(&at)),
            ("4.2\u{a0}s ago".into(), "in 4.2\u{a0}s".into(), "now".into())
        );
    }

    #[test]
    fn durations_show_two_units_and_counts_groups() {
        let spans = [
            (7, "7\u{a0}ms"),
            (59_999, "59\u{a0}s"),
            (90_000, "1\u{a0}min 30\u{a0}s"),
            (7_200_000, "2\u{a0}h"),
            (90_000_000, "1\u{a0}d 1\u{a0}h"),
        ];
        for (ms, words) in spans {
            assert_eq!(Span(ms).to_string(), words);
        }
        let micros = [(0, "0\u{a0}µs"), (1_540, "1.5\u{a0}ms"), (1_500_000, "1.5\u{a0}s")];
        for (us, words) in micros {
            assert_eq!(Micros(us).to_string(), words);
        }
        assert_eq!((Count(7).to_string(), Count(1_234_567).to_string()), ("7".into(), "1,234,567".into()));
        assert_eq!((Bytes(1_023).to_string(), Bytes(1_536).to_string()), ("1023\u{a0}B".into(), "1.5\u{a0}KiB".into()));
    }
}
