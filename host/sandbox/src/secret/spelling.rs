//! How a peer may write a secret that it sends back.

use super::masker::SHORTEST;
use super::{Encoding, encode};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::ops::Range;
use zeroize::Zeroizing;

/// A byte that is escaped takes up to so many.
pub(super) const WIDEST_ESCAPE: usize = 6;

/// Bytes of a value that is looked for with escapes inside base64 and hex: what is composed like that is not longer.
pub(super) const MAX_NESTED: usize = 1024;

/// A value in every encoding in which a peer may send it back; not with escapes that [`Unescaped`] takes away.
pub(super) fn spellings(value: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    if value.len() < SHORTEST {
        return Vec::new();
    }
    let mut all = spelt(value);
    if value.len() <= MAX_NESTED {
        use Encoding::{Form, Json, Percent, Xml};
        let mut escaped: Vec<_> = [Percent, Form, Json, Xml].map(|way| encode(value, way)).into();
        escaped.sort_unstable_by(|one, other| one.as_slice().cmp(other));
        escaped.dedup_by(|one, other| one.as_slice() == other.as_slice());
        for text in escaped.iter().filter(|text| text.as_slice() != value) {
            all.push(encode(text, Encoding::Hex));
            all.extend((0..3).flat_map(|shift| inside_base64(text, shift)));
        }
    }
    all.retain(|spelling| spelling.len() >= SHORTEST);
    all
}

fn spelt(value: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    use Encoding::{Base64, Base64url, Form, Hex, Json, Raw, Xml};
    let mut all: Vec<_> = [Raw, Base64, Base64url, Hex, Json, Xml].map(|way| encode(value, way)).into();
    if value.contains(&b' ') {
        all.push(encode(value, Form)); // `+`
    }
    if value.iter().any(|byte| b"\"\\".contains(byte) || *byte < b' ') {
        let json = Zeroizing::new(String::from_utf8_lossy(&encode(value, Json)).into_owned());
        all.push(Zeroizing::new(json.replace('\\', "\\\\").replace('"', "\\\"").into_bytes())); // JSON within JSON
        all.push(Zeroizing::new(json.replace('/', "\\/").into_bytes()));
    }
    if !value.is_ascii() {
        all.push(each_byte_escaped(value));
    }
    all.extend((0..3).flat_map(|shift| inside_base64(value, shift)));
    all
}

/// Each byte as `\u00XX`, though some are only part of a character.
fn each_byte_escaped(value: &[u8]) -> Zeroizing<Vec<u8>> {
    // At its full size from the start: a vector that grows leaves copies.
    let mut out = Zeroizing::new(Vec::with_capacity(value.len() * WIDEST_ESCAPE));
    for byte in value {
        out.extend_from_slice(b"\\u00");
        out.extend([byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]));
    }
    out
}

/// What base64 of something longer shows of a value that begins `shift` bytes after a group of three: only the
/// characters that its neighbours have no part in.
fn inside_base64(value: &[u8], shift: usize) -> [Zeroizing<Vec<u8>>; 2] {
    let mut padded = Zeroizing::new(vec![0; shift]);
    padded.extend_from_slice(value);
    let first = (shift * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    [Zeroizing::new(STANDARD.encode(&*padded)), Zeroizing::new(URL_SAFE_NO_PAD.encode(&*padded))]
        .map(|text| Zeroizing::new(text.as_bytes().get(first..last).unwrap_or_default().to_vec()))
}

/// A text without its escapes: `%XX`, `\uXXXX`, `\/`, `\"`, whichever of its characters they stand for. And where each byte
/// was.
pub(super) struct Unescaped {
    pub(super) text: Zeroizing<Vec<u8>>,
    /// Where each byte was written, and at last the end.
    begins: Vec<u32>,
}

impl Unescaped {
    /// `None` if there is no escape in it.
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        let first = (0..text.len()).find(|at| escape(text.get(*at..).unwrap_or_default()).is_some())?;
        let mut made =
            Self { text: Zeroizing::new(Vec::with_capacity(text.len())), begins: Vec::with_capacity(text.len() + 1) };
        let mut at = 0;
        while let Some(byte) = text.get(at).copied() {
            let found = if at < first { None } else { escape(text.get(at..).unwrap_or_default()) };
            match found {
                Some((stands_for, length)) => {
                    stands_for.as_bytes().iter().for_each(|byte| made.push(*byte, at));
                    at += length;
                }
                None => {
                    made.push(byte, at);
                    at += 1;
                }
            }
        }
        made.begins.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        Some(made)
    }

    /// Where a range of it was written.
    pub(super) fn written(&self, range: &Range<usize>) -> Range<usize> {
        let begins = |at: usize| self.begins.get(at).copied().unwrap_or(u32::MAX);
        let start = begins(range.start);
        // The last byte may be one of several that one escape stands for: all of it goes.
        let last = begins(range.end.saturating_sub(1));
        let end = self.begins.get(range.end..).unwrap_or_default().iter().find(|at| **at > last);
        start as usize..end.copied().unwrap_or(last) as usize
    }

    /// Where a byte of it was written; at its end, where it ends.
    pub(super) fn begins(&self, at: usize) -> usize {
        self.begins.get(at).map_or(usize::MAX, |at| *at as usize)
    }

    fn push(&mut self, byte: u8, at: usize) {
        self.text.push(byte);
        self.begins.push(u32::try_from(at).unwrap_or(u32::MAX));
    }
}

/// What an escape stands for.
struct Stands {
    bytes: [u8; 4],
    length: usize,
}

impl Stands {
    fn one(byte: u8) -> Self {
        Self { bytes: [byte, 0, 0, 0], length: 1 }
    }

    fn character(c: char) -> Self {
        let mut bytes = [0; 4];
        let length = c.encode_utf8(&mut bytes).len();
        Self { bytes, length }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// The escape that a text begins with, and how long it is. Backslashes may be many: JSON within JSON doubles them.
fn escape(text: &[u8]) -> Option<(Stands, usize)> {
    match text.first()? {
        b'%' => {
            let byte = u8::try_from(digits(text.get(1..3)?)?).ok()?;
            Some((Stands::one(byte), 3))
        }
        b'\\' => {
            // More than a few are no escape: they would be counted again from each of them.
            let slashes = text.iter().take(MAX_BACKSLASHES).take_while(|byte| **byte == b'\\').count();
            match text.get(slashes)? {
                b'u' => {
                    let code = digits(text.get(slashes + 1..slashes + 5)?)?;
                    Some((Stands::character(char::from_u32(code)?), slashes + 5))
                }
                byte @ (b'/' | b'"') => Some((Stands::one(*byte), slashes + 1)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Bytes of an escape that a text ends in, and that is not whole: what comes next is part of it.
pub(super) fn torn_escape(text: &[u8]) -> usize {
    let near = text.get(text.len().saturating_sub(MAX_BACKSLASHES + 5)..).unwrap_or_default();
    let end = |at: usize| near.get(at..).unwrap_or_default();
    let digits = |text: &[u8]| text.iter().all(u8::is_ascii_hexdigit);
    let is_torn = |at: &usize| match end(*at) {
        [b'%', rest @ ..] => rest.len() < 2 && digits(rest),
        [b'\\', ..] => {
            let slashes = end(*at).iter().take_while(|byte| **byte == b'\\').count();
            match end(*at + slashes) {
                [] => true,
                [b'u', rest @ ..] => rest.len() < 4 && digits(rest),
                _ => false,
            }
        }
        _ => false,
    };
    (0..near.len()).find(is_torn).map_or(0, |at| near.len() - at)
}

/// Backslashes before an escaped character: enough for JSON within JSON, three times.
const MAX_BACKSLASHES: usize = 16;

fn digits(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0, |number, byte| Some(number * 16 + char::from(*byte).to_digit(16)?))
}
