//! Routing's verdict on one event: one column, run-length encoded.

use crate::ids::DestinationNo;
use serde::{Deserialize, Serialize};

/// What routing said of one event at one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Verdict {
    /// A delivery was made.
    Matched = 0,
    /// Not subscribed to its event type.
    FilteredType = 1,
    /// The filter did not match.
    FilteredPattern = 2,
    /// The filter could not be applied: the payload is not JSON.
    FilteredNotJson = 3,
    /// The destination was disabled.
    SkippedDisabled = 4,
}

impl Verdict {
    /// Every verdict, in the order of its number.
    pub const ALL: [Self; 5] =
        [Self::Matched, Self::FilteredType, Self::FilteredPattern, Self::FilteredNotJson, Self::SkippedDisabled];

    /// The state that the event view shows for a pair without a delivery, with its reason; `None` for a match.
    #[must_use]
    pub const fn words(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Matched => None,
            Self::FilteredType => Some(("filtered", "event-type")),
            Self::FilteredPattern => Some(("filtered", "pattern")),
            Self::FilteredNotJson => Some(("filtered", "not-json")),
            Self::SkippedDisabled => Some(("skipped", "disabled")),
        }
    }
}

/// Routing's verdict at every destination that its tenant had, in the order of their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// The configuration generation of the tenant that decided.
    pub generation: i64,
    /// Sorted by destination.
    pub verdicts: Vec<(DestinationNo, Verdict)>,
}

/// A stored route that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored route is damaged")]
pub struct DamagedRoute;

impl Route {
    /// The destinations that matched.
    pub fn matched(&self) -> impl Iterator<Item = DestinationNo> + '_ {
        self.verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Matched).map(|(no, _)| *no)
    }

    /// Encodes as LEB128 numbers: the generation, then runs of (distance to the first destination, verdict, count)
    /// in which numbers are consecutive and the verdict is the same.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(8 + self.verdicts.len());
        write_number(&mut out, self.generation as u64);
        let mut last = 0;
        let mut rest = self.verdicts.as_slice();
        while let Some(((first, verdict), _)) = rest.split_first() {
            let run =
                rest.iter().zip(first.0..).take_while(|((no, v), expected)| no.0 == *expected && v == verdict).count();
            write_number(&mut out, first.0.wrapping_sub(last) as u64);
            out.push(*verdict as u8);
            write_number(&mut out, run as u64);
            last = first.0 + run as i64 - 1;
            rest = &rest[run..];
        }
        out
    }

    /// Reads what [`Route::encode`] wrote.
    ///
    /// # Errors
    /// [`DamagedRoute`] for anything else.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, DamagedRoute> {
        let generation = read_number(&mut bytes)? as i64;
        let mut verdicts = Vec::new();
        let mut last = 0_i64;
        while !bytes.is_empty() {
            let first = last.wrapping_add(read_number(&mut bytes)? as i64);
            let (verdict, rest) = bytes.split_first().ok_or(DamagedRoute)?;
            bytes = rest;
            let verdict = Verdict::ALL.get(usize::from(*verdict)).copied().ok_or(DamagedRoute)?;
            let run = read_number(&mut bytes)?;
            if run == 0 || run > 10_000_000 {
                return Err(DamagedRoute);
            }
            last = first.checked_add(run as i64 - 1).ok_or(DamagedRoute)?;
            verdicts.extend((first..=last).map(|no| (DestinationNo(no), verdict)));
        }
        Ok(Self { generation, verdicts })
    }
}

fn write_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn read_number(bytes: &mut &[u8]) -> Result<u64, DamagedRoute> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(DamagedRoute)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(DamagedRoute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_reads_back_what_it_wrote_and_runs_are_short() {
        let mut verdicts: Vec<_> = (1..=1000).map(|no| (DestinationNo(no), Verdict::FilteredType)).collect();
        verdicts[500].1 = Verdict::Matched;
        verdicts.push((DestinationNo(5_000_000), Verdict::SkippedDisabled));
        let route = Route { generation: 77, verdicts };
        let bytes = route.encode();
        assert!(bytes.len() < 24, "{}", bytes.len());
        assert_eq!(Route::decode(&bytes), Ok(route.clone()));
        assert_eq!(route.matched().collect::<Vec<_>>(), [DestinationNo(501)]);
    }

    #[test]
    fn damaged_bytes_are_refused() {
        for bytes in [&[][..], &[0x80], &[1, 2], &[1, 2, 9, 1], &[1, 2, 0, 0], &[0xff; 20]] {
            assert_eq!(Route::decode(bytes), Err(DamagedRoute), "{bytes:?}");
        }
    }
}
