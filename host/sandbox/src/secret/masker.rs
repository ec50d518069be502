//! Takes secrets out of what comes back, before a guest or the record sees it.

use super::{Encoding, Secret, encode};
use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

/// What stands where a secret stood.
pub const MASK: &str = "••••";

/// Values shorter than this, in bytes, are not looked for: they would hit by chance.
pub(super) const SHORTEST: usize = 8;

/// Headers that are masked whole, whatever they hold.
const ALWAYS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "set-cookie"];

/// Finds every secret of a session, in every encoding, in anything. Built once per session.
pub struct Masker {
    finder: Finder,
    longest: usize,
    secrets: Vec<Arc<Secret>>,
    /// Of the secrets above and some composed ones: connectors compose the same ones for every request.
    wider: Mutex<Vec<Arc<Masker>>>,
}

/// Wider maskers that are kept.
const MAX_WIDER: usize = 8;

enum Finder {
    /// There is nothing to find.
    Nothing,
    /// One automaton for all values in all encodings.
    Automaton(AhoCorasick),
    /// The automaton could not be built: everything is masked.
    Everything,
}

impl Masker {
    /// A masker of these secrets.
    #[must_use]
    pub fn new(secrets: impl IntoIterator<Item = Arc<Secret>>) -> Arc<Self> {
        let secrets: Vec<_> = secrets.into_iter().collect();
        let mut patterns: Vec<_> = secrets.iter().flat_map(|secret| secret.values()).flat_map(spellings).collect();
        patterns.sort_unstable_by(|one, other| one.as_slice().cmp(other));
        patterns.dedup_by(|one, other| one.as_slice() == other.as_slice());
        let longest = patterns.iter().map(|pattern| pattern.len()).max().unwrap_or(0);
        let finder = if patterns.is_empty() {
            Finder::Nothing
        } else {
            // Hexadecimal digits, escapes and the names of headers come in either case.
            let built = AhoCorasick::builder()
                .kind(Some(aho_corasick::AhoCorasickKind::ContiguousNFA))
                .ascii_case_insensitive(true)
                .build(patterns.iter().map(|pattern| pattern.as_slice()));
            built.map_or(Finder::Everything, Finder::Automaton)
        };
        Arc::new(Self { finder, longest, secrets, wider: Mutex::default() })
    }

    /// A masker that also knows `more`; the same one if it knew them all. Those made last are kept.
    #[must_use]
    pub fn with<'a>(self: &Arc<Self>, more: impl IntoIterator<Item = &'a Arc<Secret>>) -> Arc<Self> {
        let unknown: Vec<_> = more.into_iter().filter(|secret| !self.knows(secret)).cloned().collect();
        if unknown.is_empty() {
            return self.clone();
        }
        let mut wider = self.wider.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = wider.iter().find(|kept| unknown.iter().all(|secret| kept.knows(secret))) {
            return kept.clone();
        }
        let made = Self::new(self.secrets.iter().cloned().chain(unknown));
        if wider.len() >= MAX_WIDER {
            wider.remove(0);
        }
        wider.push(made.clone());
        made
    }

    /// A masker that also knows `more`, for the caller to keep.
    #[must_use]
    pub fn and(&self, more: impl IntoIterator<Item = Arc<Secret>>) -> Arc<Self> {
        Self::new(self.secrets.iter().cloned().chain(more))
    }

    /// True if it looks for this secret, or for the same values.
    #[must_use]
    pub fn knows(&self, secret: &Arc<Secret>) -> bool {
        let same = |known: &Arc<Secret>| known.values() == secret.values();
        self.secrets.iter().any(|known| Arc::ptr_eq(known, secret)) || self.secrets.iter().any(same)
    }

    /// Bytes of the longest thing that it looks for: a cut closer than that to the end of a secret would leave its start.
    #[must_use]
    pub const fn longest(&self) -> usize {
        self.longest
    }

    /// Masks bytes; shares them where nothing is found.
    #[must_use]
    pub fn bytes(&self, bytes: Bytes) -> Bytes {
        let end = bytes.len();
        self.start(bytes, end)
    }

    /// Masks the bytes before `end`. A secret that begins before it and ends after it goes whole, if `bytes` go on for
    /// [`Masker::longest`] after it.
    #[must_use]
    pub fn start(&self, mut bytes: Bytes, end: usize) -> Bytes {
        match self.masked(&bytes, end) {
            Some(masked) => Bytes::from(masked),
            None => {
                bytes.truncate(end);
                bytes
            }
        }
    }

    /// Masks text.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.masked(text.as_bytes(), text.len()) {
            Some(masked) => Cow::Owned(String::from_utf8_lossy(&masked).into_owned()),
            None => Cow::Borrowed(text),
        }
    }

    /// Masks a header's value; bytes that are not UTF-8 are replaced. `set-cookie`, `authorization`,
    /// `proxy-authorization` and `cookie` are masked whole.
    #[must_use]
    pub fn header(&self, name: &str, value: &[u8]) -> String {
        if always_masked(name) {
            return MASK.to_owned();
        }
        let masked = self.masked(value, value.len());
        String::from_utf8_lossy(masked.as_deref().unwrap_or(value)).into_owned()
    }

    /// The bytes before `end`, masked; `None` if nothing is found before it.
    fn masked(&self, bytes: &[u8], end: usize) -> Option<Vec<u8>> {
        let finder = match &self.finder {
            Finder::Nothing => return None,
            Finder::Everything => return Some(MASK.as_bytes().to_vec()),
            Finder::Automaton(finder) => finder,
        };
        let mut found = ranges(finder, bytes);
        found.retain(|range| range.start < end);
        if found.is_empty() {
            return None;
        }
        let mut out = Vec::with_capacity(bytes.len());
        let mut from = 0;
        for range in found {
            out.extend_from_slice(bytes.get(from..range.start).unwrap_or_default());
            out.extend_from_slice(MASK.as_bytes());
            from = range.end;
        }
        out.extend_from_slice(bytes.get(from..end).unwrap_or_default());
        Some(out)
    }
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masker").field("secrets", &self.secrets).finish_non_exhaustive()
    }
}

/// True for headers that are masked whole, whatever they hold.
pub(crate) fn always_masked(name: &str) -> bool {
    ALWAYS.iter().any(|always| name.eq_ignore_ascii_case(always))
}

/// Every match, overlapping ones as one range: a secret whose start is also the end of another goes whole.
fn ranges(finder: &AhoCorasick, bytes: &[u8]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = finder.find_overlapping_iter(bytes).map(|at| at.range()).collect();
    found.sort_unstable_by_key(|range| range.start);
    found.dedup_by(|next, kept| {
        let overlaps = next.start <= kept.end;
        if overlaps {
            kept.end = kept.end.max(next.end);
        }
        overlaps
    });
    found
}

/// A value in every encoding in which a peer may send it back.
fn spellings(value: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    if value.len() < SHORTEST {
        return Vec::new();
    }
    use Encoding::{Base64, Base64url, Form, Hex, Json, Percent, Raw, Xml};
    let mut all: Vec<_> = [Raw, Base64, Base64url, Hex, Percent, Form, Json, Xml].map(|way| encode(value, way)).into();
    let json = Zeroizing::new(String::from_utf8_lossy(&encode(value, Json)).into_owned());
    all.push(Zeroizing::new(json.replace('/', "\\/").into_bytes()));
    all.push(Zeroizing::new(json.replace('\\', "\\\\").replace('"', "\\\"").into_bytes())); // JSON within JSON
    all.push(every(value, b"%"));
    all.push(every(value, b"\\u00"));
    all.extend((0..3).flat_map(|shift| inside_base64(value, shift)));
    all.retain(|spelling| spelling.len() >= SHORTEST);
    all
}

/// Each byte as two hexadecimal digits, escaped though it need not be.
fn every(value: &[u8], escape: &[u8]) -> Zeroizing<Vec<u8>> {
    // At its full size from the start: a vector that grows leaves copies.
    let mut out = Zeroizing::new(Vec::with_capacity(value.len() * (escape.len() + 2)));
    for byte in value {
        out.extend_from_slice(escape);
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
    [STANDARD.encode(&*padded), URL_SAFE_NO_PAD.encode(&*padded)]
        .map(|text| Zeroizing::new(text.as_bytes().get(first..last).unwrap_or_default().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use railhead_model::manifest::{CredentialKind, CredentialUse};

    fn secret(value: &[u8]) -> Arc<Secret> {
        Secret::parse("token", CredentialKind::Text, CredentialUse::Place, &[], value).unwrap()
    }

    #[test]
    fn a_secret_is_found_in_every_encoding_and_inside_longer_base64() {
        let value = "p@ss/w+rd \"<é>";
        let masker = Masker::new([secret(value.as_bytes())]);
        use Encoding::{Base64, Base64url, Form, Hex, Json, Percent, Raw, Xml};
        for way in [Raw, Base64, Base64url, Hex, Percent, Form, Json, Xml] {
            let echo = [b"[".as_slice(), &encode(value.as_bytes(), way), b"]"].concat();
            let masked = masker.bytes(Bytes::from(echo));
            assert!(masked.starts_with(b"[\xe2") && masked.ends_with(b"]"), "{way:?}: {masked:?}");
            assert!(masked.len() <= 2 + 2 + MASK.len(), "{way:?}: {masked:?}");
        }
        let every = |escape: &str| value.bytes().map(|byte| format!("{escape}{byte:02X}")).collect::<String>();
        for echo in [
            every("%"),
            every("\\u00"),
            every("").to_lowercase(),
            value.to_ascii_uppercase(),
            value.replace('"', "\\\\\\\""),
        ] {
            assert_eq!(masker.text(&format!("[{echo}]")), format!("[{MASK}]"), "{echo}");
        }
        for prefix in ["", "u", "us", "use", "user:"] {
            let echo = STANDARD.encode(format!("{prefix}{value}!!"));
            assert!(masker.text(&echo).contains(MASK), "{prefix}: {echo}");
        }
    }

    #[test]
    fn overlapping_secrets_leave_no_rest() {
        let masker = Masker::new([secret(b"abcdefgh1234"), secret(b"1234ijklmnop")]);
        assert_eq!(masker.text("x abcdefgh1234ijklmnop y"), format!("x {MASK} y"));
    }

    #[test]
    fn short_values_and_no_secrets_change_nothing() {
        let short = Secret::parse("key", CredentialKind::Text, CredentialUse::SignRequest, &[], b"1234567").unwrap();
        let masker = Masker::new([short]);
        assert!(matches!(masker.text("1234567"), Cow::Borrowed(_)));
        assert_eq!(masker.header("Set-Cookie", b"a=b"), MASK);
        assert_eq!(masker.header("x-a", b"a=b"), "a=b");
    }

    #[test]
    fn a_wider_masker_is_made_once_for_the_same_values() {
        let masker = Masker::new([secret(b"first-secret")]);
        let composed = || Secret::derived("composed", CredentialUse::Place, &[], b"user:first-secret".to_vec());
        assert!(Arc::ptr_eq(&masker, &masker.with([&secret(b"first-secret")])));
        let wider = masker.with([&composed()]);
        assert!(Arc::ptr_eq(&wider, &masker.with([&composed()])));
        assert_eq!(wider.text("[user:first-secret]"), format!("[{MASK}]"));
        let other = masker.with([&secret(b"other-secret")]);
        assert_eq!(other.text("other-secret user:first-secret"), format!("{MASK} user:{MASK}"));
    }

    #[test]
    fn nothing_is_printed() {
        let masker = Masker::new([secret(b"hunter2hunter2")]);
        assert_eq!(format!("{masker:?}"), "Masker { secrets: [Secret(token)], .. }");
    }
}
