//! Hours in UTC: what partitions are named by.

use railhead_sdk::row;

/// The last millisecond of the year 9999: no date after it has four digits of a year.
const LAST_MS: i64 = 253_402_300_799_999;

/// A point in time since 1970, as `2026-01-31T21:59:59.500Z`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Utc(String);

impl Utc {
    /// Of milliseconds since 1970.
    pub fn of_ms(ms: u64) -> Self {
        Self(row::timestamp(ms.min(LAST_MS.unsigned_abs())))
    }

    /// Of RFC 3339 with any offset (`2026-01-31T23:59:59.5+02:00`); none where it is something else, or before 1970.
    pub fn of_rfc3339(text: &str) -> Option<Self> {
        let date = text.get(..10)?;
        let time = text.get(11..19)?;
        let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
        let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
        let is_date = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
        let is_time = hour < 24 && minute < 60 && second <= 60; // a leap second
        let between = matches!(text.as_bytes().get(10)?, b'T' | b't' | b' ');
        let offset = offset_minutes(text.get(19..)?)?;
        let minutes = days_since_1970(year, month, day) * 24 * 60 + hour * 60 + minute - offset;
        let ms = (minutes * 60 + second) * 1000;
        (is_date && is_time && between && (0..=LAST_MS).contains(&ms)).then(|| Self::of_ms(ms.unsigned_abs()))
    }

    /// `2026-01-31`.
    pub fn date(&self) -> &str {
        self.piece(0, 10)
    }

    /// Four digits.
    pub fn year(&self) -> &str {
        self.piece(0, 4)
    }

    /// Two digits, from 01.
    pub fn month(&self) -> &str {
        self.piece(5, 7)
    }

    /// Two digits, from 01.
    pub fn day(&self) -> &str {
        self.piece(8, 10)
    }

    /// Two digits, from 00.
    pub fn hour(&self) -> &str {
        self.piece(11, 13)
    }

    /// True if both lie in the same hour: then their partitions are the same.
    pub fn same_hour(&self, other: &Self) -> bool {
        self.piece(0, 13) == other.piece(0, 13)
    }

    fn piece(&self, from: usize, to: usize) -> &str {
        self.0.get(from..to).unwrap_or_default()
    }
}

/// Digits of these lengths, with one character between.
fn numbers<const N: usize>(text: &str, between: char, lengths: [usize; N]) -> Option<[i64; N]> {
    let (mut numbers, mut pieces) = ([0; N], text.split(between));
    for (number, length) in numbers.iter_mut().zip(lengths) {
        let digits = pieces.next().filter(|digits| digits.len() == length)?;
        *number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
    }
    pieces.next().is_none().then_some(numbers)
}

/// What follows the seconds: perhaps a fraction, then `Z` or an offset.
fn offset_minutes(text: &str) -> Option<i64> {
    let zone = match text.strip_prefix('.') {
        None => text,
        Some(rest) => rest.trim_start_matches(|c: char| c.is_ascii_digit()),
    };
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, rest) = zone.split_at_checked(1)?;
    let [hours, minutes] = numbers(rest, ':', [2, 2])?;
    let offset = (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)?;
    match sign {
        "+" => Some(offset),
        "-" => Some(-offset),
        _ => None,
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days_since_1970(next.0, next.1, 1) - days_since_1970(year, month, 1)
}

/// Howard Hinnant's `days_from_civil` (<https://howardhinnant.github.io/date_algorithms.html#days_from_civil>).
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted_month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::Utc;

    #[test]
    fn instants_are_read_with_their_offset() {
        for (text, utc) in [
            ("1970-01-01T00:00:00Z", "1970-01-01T00"),
            ("2024-02-29T23:30:00.123456-01:00", "2024-03-01T00"),
            ("2024-03-01t00:30:00+01:00", "2024-02-29T23"),
            ("2026-01-01 00:00:00z", "2026-01-01T00"),
            ("2025-12-31T23:59:60Z", "2026-01-01T00"),
            ("2000-02-29T12:00:00-00:00", "2000-02-29T12"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23"),
        ] {
            let at = Utc::of_rfc3339(text).expect(text);
            assert_eq!(format!("{}T{}", at.date(), at.hour()), utc, "{text}");
        }
        let at = Utc::of_ms(1_767_225_599_999);
        assert_eq!((at.year(), at.month(), at.day(), at.hour(), at.date()), ("2025", "12", "31", "23", "2025-12-31"));
        assert_eq!(Utc::of_ms(u64::MAX).date(), "9999-12-31");
    }

    #[test]
    fn what_is_no_instant_is_none() {
        for text in [
            "",
            "today",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00+0100",
            "2026-01-01T00:00:00Zulu",
            "2026-01-01T00:00:00.5",
            "+026-01-01T00:00:00Z",
            "2026-1-001T00:00:00Z",
            "2026-01-01x00:00:00Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            "2026-01-01T00:00:0é",
        ] {
            assert_eq!(Utc::of_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn hours_are_told_apart() {
        let at = |text| Utc::of_rfc3339(text).unwrap();
        assert!(at("2026-01-01T10:00:00Z").same_hour(&at("2026-01-01T11:59:59+01:00")));
        assert!(!at("2026-01-01T10:00:00Z").same_hour(&at("2026-01-01T11:00:00Z")));
        assert!(!at("2026-01-01T10:00:00Z").same_hour(&at("2026-01-02T10:00:00Z")));
    }
}
