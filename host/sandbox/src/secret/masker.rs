//! Takes secrets out of what comes back, before a guest or the record sees it.

use super::finder::{self, Finder};
use super::spelling::{self, Unescaped};
use super::{Secret, Told};
use bytes::Bytes;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// What stands where a secret stood.
pub const MASK: &str = "••••";

/// Values shorter than this, in bytes, are not looked for: they would hit by chance.
pub(super) const SHORTEST: usize = 8;

/// Headers that are masked whole, whatever they hold.
const ALWAYS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "set-cookie"];

/// Finds every secret of a destination, in every encoding, in anything. Built once per edition of it.
pub struct Masker {
    /// Its own, and before it those of the masker that this one widens.
    finders: Vec<Arc<Finder>>,
    longest: usize,
    secrets: Vec<Arc<Secret>>,
    /// What comes while it is in use.
    told: Arc<Told>,
    /// Of the secrets above and some composed ones: connectors compose the same ones for every request.
    wider: Mutex<Vec<Arc<Masker>>>,
}

/// Wider maskers that are kept.
const MAX_WIDER: usize = 8;

impl Masker {
    /// A masker of these secrets.
    #[must_use]
    pub fn new(secrets: impl IntoIterator<Item = Arc<Secret>>) -> Arc<Self> {
        Self::with_told(secrets, Arc::default())
    }

    /// A masker of these secrets, and of all tokens that come.
    pub(crate) fn with_told(secrets: impl IntoIterator<Item = Arc<Secret>>, told: Arc<Told>) -> Arc<Self> {
        let nothing = Self { finders: Vec::new(), longest: 0, secrets: Vec::new(), told, wider: Mutex::default() };
        nothing.widened(secrets)
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
        let made = self.widened(unknown);
        if wider.len() >= MAX_WIDER {
            wider.remove(0);
        }
        wider.push(made.clone());
        made
    }

    /// What this one finds is not built again.
    fn widened(&self, more: impl IntoIterator<Item = Arc<Secret>>) -> Arc<Self> {
        let more: Vec<_> = more.into_iter().collect();
        let values: Vec<_> = more.iter().flat_map(|secret| secret.values()).collect();
        let longest = self.longest.max(longest(&values));
        let finder = Finder::new(values.into_iter().flat_map(spelling::spellings).collect());
        let finders = self.finders.iter().cloned().chain((!finder.is_empty()).then(|| Arc::new(finder))).collect();
        let secrets = self.secrets.iter().cloned().chain(more).collect();
        Arc::new(Self { finders, longest, secrets, told: self.told.clone(), wider: Mutex::default() })
    }

    /// True if it looks for this secret, or for the same values.
    #[must_use]
    pub fn knows(&self, secret: &Arc<Secret>) -> bool {
        let same = |known: &Arc<Secret>| known.values() == secret.values();
        self.secrets.iter().any(|known| Arc::ptr_eq(known, secret))
            || self.secrets.iter().any(same)
            || self.told.knows(secret)
    }

    /// Bytes of the longest thing that it looks for: a cut closer than that to the end of a secret would leave its start.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.longest.max(self.told.longest())
    }

    /// Bytes of memory that it takes to find them, without what other maskers share.
    #[must_use]
    pub fn size(&self) -> usize {
        self.finders.last().map_or(0, |finder| finder.size())
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

    /// Where anything that must not come back stands: in order, nothing twice.
    pub(crate) fn found(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        if self.finders.is_empty() && self.told.is_empty() {
            return Vec::new();
        }
        let unescaped = Unescaped::of(bytes);
        let found = self.finders.iter().map(|finder| ranges(finder, bytes, unescaped.as_ref()));
        found.fold(self.told.ranges(bytes, unescaped.as_ref()), joined)
    }

    /// Bytes at the end that may be the beginning of something that must not come back, if they go on like that.
    pub(crate) fn begun(&self, bytes: &[u8]) -> usize {
        let told = self.told.finder();
        let finders = || self.finders.iter().chain(&told);
        let most = self.longest().min(bytes.len());
        let near = bytes.get(bytes.len() - most..).unwrap_or_default();
        // An escape that is not whole yet tells nothing: what is before it does.
        let torn = near.len() - spelling::torn_escape(near);
        let whole = near.get(..torn).unwrap_or_default();
        let plain = finders().map(|finder| finder.begun(near)).max().unwrap_or(0);
        let unescaped = Unescaped::of(whole);
        let begun = |finder: &Arc<Finder>| match &unescaped {
            Some(unescaped) => torn - unescaped.begins(unescaped.text.len() - finder.begun(&unescaped.text)).min(torn),
            None => finder.begun(whole),
        };
        let escaped = finders().map(begun).max().filter(|begun| *begun > 0);
        plain.max(escaped.map_or(0, |begun| begun + near.len() - torn))
    }

    /// The bytes before `end`, masked; `None` if nothing is found before it.
    fn masked(&self, bytes: &[u8], end: usize) -> Option<Vec<u8>> {
        let found = self.found(bytes);
        if found.first().is_none_or(|range| range.start >= end) {
            return None;
        }
        let mut out = Vec::with_capacity(bytes.len());
        let mut from = 0;
        for range in found.into_iter().take_while(|range| range.start < end) {
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
pub(super) fn ranges(finder: &Finder, text: &[u8], unescaped: Option<&Unescaped>) -> Vec<Range<usize>> {
    let found = finder.ranges(text);
    let Some(unescaped) = unescaped else { return found };
    let escaped = finder.ranges(&unescaped.text).iter().map(|range| unescaped.written(range)).collect();
    joined(found, escaped)
}

/// Two lists of ranges as one.
fn joined(one: Vec<Range<usize>>, other: Vec<Range<usize>>) -> Vec<Range<usize>> {
    if one.is_empty() || other.is_empty() {
        return if one.is_empty() { other } else { one };
    }
    let mut all = one;
    all.extend(other);
    all.sort_unstable_by_key(|range| range.end);
    let mut found = Vec::with_capacity(all.len());
    all.into_iter().for_each(|range| finder::add(&mut found, range));
    found
}

/// Bytes that the longest spelling of values may take.
pub(super) fn longest(values: &[&[u8]]) -> usize {
    values.iter().map(|value| value.len()).max().unwrap_or(0).saturating_mul(spelling::WIDEST_ESCAPE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{Encoding, encode};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
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
    fn pieces_that_contain_each_other_become_one_mask() {
        // 64 segments, each the beginning of the next one, and an answer that is all of them at each of its bytes.
        let segments: Vec<String> = (8..72).map(|length| "a".repeat(length)).collect();
        let url = format!("https://x.test/{}", segments.join("/"));
        let url = Secret::parse("url", CredentialKind::Url, CredentialUse::Url, &[], url.as_bytes()).unwrap();
        let masker = Masker::new([url]);
        assert_eq!(masker.text(&"a".repeat(300_000)), MASK);
        assert!(masker.size() < 1 << 20, "{}", masker.size());
    }

    #[test]
    fn the_most_that_a_destination_may_have_takes_little_memory() {
        let letters: String = (0..16_384_u32).map(|n| char::from(b'a' + (n * n / 7 % 26) as u8)).collect();
        let masker = Masker::new([secret(letters.as_bytes())]);
        assert!(masker.size() < 2 << 20, "{}", masker.size());
        assert_eq!(masker.longest(), 6 * 16_384);
    }

    #[test]
    fn escapes_are_seen_through_however_they_are_mixed() {
        let masker = Masker::new([secret("p@ss+w/rd<é>".as_bytes())]);
        for echo in
            ["p%40ss%2bw%2Frd%3c%C3%A9%3E", "p@ss\\u002Bw\\/rd\\u003C\\u00E9>", "\\\\u0070@ss+w\\\\/rd<\\\\\\u00e9>"]
        {
            assert_eq!(masker.text(&format!("%[{echo}]\\")), format!("%[{MASK}]\\"), "{echo}");
        }
        assert_eq!(masker.text("%2p@ss+w/rd<é>%5"), format!("%2{MASK}%5"), "what looks like an escape hides nothing");
    }

    #[test]
    fn tokens_that_come_later_are_masked_by_every_masker_of_the_destination() {
        let told = Arc::new(Told::default());
        let older = Masker::with_told([secret(b"client-secret")], told.clone());
        let newer = Masker::with_told([], told.clone());
        let composed = Secret::derived("composed", CredentialUse::Place, &[], b"user:client-secret".to_vec());
        let wider = older.with([&composed]);
        let token = Secret::derived("token", CredentialUse::Place, &[], b"token-one".to_vec());
        told.keep(&token, None, 0);
        for masker in [&older, &newer, &wider] {
            assert_eq!(masker.text("[token%2Done]"), format!("[{MASK}]"));
            assert!(Arc::ptr_eq(masker, &masker.with([&token])), "it is known");
        }
        assert_eq!(wider.text("user:client-secret/token-one"), format!("{MASK}/{MASK}"));
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
