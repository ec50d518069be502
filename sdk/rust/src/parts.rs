//! Pieces of what is sent.

use crate::credentials::{Credential, Encoding, Part};
use crate::types::Event;

impl Clone for Part<'_> {
    fn clone(&self) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Bytes(bytes.clone()),
            Self::EventData(index) => Self::EventData(*index),
            Self::EventDataBase64(index) => Self::EventDataBase64(*index),
            Self::Secret((credential, encoding)) => Self::Secret((credential, *encoding)),
        }
    }
}

/// The same pieces. Of secrets: the same handle in the same encoding; what they hold is not known here.
impl PartialEq for Part<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bytes(one), Self::Bytes(other)) => one == other,
            (Self::EventData(one), Self::EventData(other)) => one == other,
            (Self::EventDataBase64(one), Self::EventDataBase64(other)) => one == other,
            (Self::Secret((one, encoding)), Self::Secret((other, others))) => {
                std::ptr::eq(*one, *other) && encoding == others
            }
            _ => false,
        }
    }
}

/// Bytes of the connector's own making.
pub fn bytes(bytes: impl Into<Vec<u8>>) -> Part<'static> {
    Part::Bytes(bytes.into())
}

/// A secret, written in an encoding where it stands.
pub const fn secret(credential: &Credential, encoding: Encoding) -> Part<'_> {
    Part::Secret((credential, encoding))
}

/// How many bytes these pieces have, secrets left out: for frames that tell lengths. A secret's own length is told by
/// [`Credential::length`].
pub fn length(parts: &[Part<'_>], events: &[Event]) -> usize {
    let data = |index: &u32| events.get(*index as usize).map_or(0, |event| event.data.len());
    let of = |part: &Part<'_>| match part {
        Part::Bytes(bytes) => bytes.len(),
        Part::EventData(index) => data(index),
        Part::EventDataBase64(index) => data(index).div_ceil(3) * 4,
        Part::Secret(_) => 0,
    };
    parts.iter().map(of).sum()
}

/// What the host makes of these pieces, without secrets: for previews of connectors that are not HTTP, and for tests.
pub fn joined(parts: &[Part<'_>], events: &[Event]) -> Vec<u8> {
    let mut all = Vec::with_capacity(length(parts, events));
    for part in parts {
        let data = |index: &u32| events.get(*index as usize).map_or(&[][..], |event| &event.data);
        match part {
            Part::Bytes(bytes) => all.extend_from_slice(bytes),
            Part::EventData(index) => all.extend_from_slice(data(index)),
            Part::EventDataBase64(index) => base64(data(index), &mut all),
            Part::Secret(_) => {}
        }
    }
    all
}

/// RFC 4648, section 4, padded.
fn base64(data: &[u8], to: &mut Vec<u8>) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in data.chunks(3) {
        let [a, b, c] = [0, 1, 2].map(|at| u32::from(chunk.get(at).copied().unwrap_or_default()));
        let bits = a << 16 | b << 8 | c;
        for at in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * at) & 63) as usize];
            to.push(if at <= chunk.len() { letter } else { b'=' });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::event;

    #[test]
    fn pieces_are_as_long_as_what_they_become() {
        // RFC 4648, section 10.
        let cases =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        for (data, encoded) in cases {
            let events = [event(data.as_bytes())];
            let parts = [bytes("<"), Part::EventData(0), bytes("|"), Part::EventDataBase64(0), bytes(">")];
            let all = joined(&parts, &events);
            assert_eq!(String::from_utf8_lossy(&all), format!("<{data}|{encoded}>"));
            assert_eq!(all.len(), length(&parts, &events));
        }
        assert_eq!(joined(&[Part::EventData(1)], &[event(b"x")]), b"");
    }
}
