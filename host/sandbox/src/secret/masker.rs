//! Takes secrets out of what comes back, before a guest or the record sees it.

use super::finder::{self, Finder};
use super::spelling::{self, Unescaped};
use super::{Secret, Told};
use bytes::Bytes;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

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
    /// See [`Masker::nothing`].
    nothing: OnceLock<Arc<Masker>>,
}

/// Wider maskers that are kept.
const MAX_WIDER: usize = 8;
/// Bytes of memory that one of them takes: what is larger is made anew each time, on the account of who wants it.
const MAX_WIDER_BYTES: usize = 256 * 1024;
/// Secrets that a masker is widened by: those of one request, or of one connection, that are not fields. Real ones compose two
/// or three.
const MAX_MORE: usize = 64;
/// Bytes of them together: the longest that can be composed, twice.
const MAX_MORE_BYTES: usize = 128 * 1024;

/// More secrets, or longer ones, than a masker is widened by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManySecrets;

impl Masker {
    /// A masker of these secrets.
    #[must_use]
    pub fn new(secrets: impl IntoIterator<Item = Arc<Secret>>) -> Arc<Self> {
        Self::with_told(secrets, Arc::default())
    }

    /// A masker of these secrets, and of all tokens that come.
    pub(crate) fn with_told(secrets: impl IntoIterator<Item = Arc<Secret>>, told: Arc<Told>) -> Arc<Self> {
        let (wider, nothing) = (Mutex::default(), OnceLock::new());
        let of_none = Self { finders: Vec::new(), longest: 0, secrets: Vec::new(), told, wider, nothing };
        of_none.widened(secrets)
    }

    /// A masker of nothing, the same each time: to be widened by what one peer was sent, and kept as long as this one.
    pub(crate) fn nothing(&self) -> Arc<Self> {
        self.nothing.get_or_init(|| Self::new([])).clone()
    }

    /// A masker that knows `more` too and nothing else; the same one if it knew them all. Those made last are kept.
    ///
    /// # Errors
    /// If they are too many, or too long: nothing was made then.
    pub fn with<'a>(
        self: &Arc<Self>,
        more: impl IntoIterator<Item = &'a Arc<Secret>>,
    ) -> Result<Arc<Self>, TooManySecrets> {
        let unknown = self.unknown(more)?;
        if unknown.is_empty() {
            return Ok(self.clone());
        }
        if let Some(kept) = self.lock().iter().find(|kept| kept.widens(self, &unknown)) {
            return Ok(kept.clone());
        }
        let made = self.widened(unknown);
        if made.size() <= MAX_WIDER_BYTES {
            let mut wider = self.lock();
            if wider.len() >= MAX_WIDER {
                wider.remove(0);
            }
            wider.push(made.clone());
        }
        Ok(made)
    }

    /// Those that it does not know, each once. However often one stands in a request, it is looked at once.
    pub(crate) fn unknown<'a>(
        &self,
        more: impl IntoIterator<Item = &'a Arc<Secret>>,
    ) -> Result<Vec<Arc<Secret>>, TooManySecrets> {
        let (mut seen, mut unknown, mut bytes) = (HashSet::new(), Vec::<Arc<Secret>>::new(), 0_usize);
        for secret in more {
            let is_new = seen.insert(Arc::as_ptr(secret)) && !self.knows(secret);
            if !is_new || unknown.iter().any(|known| known.values() == secret.values()) {
                continue;
            }
            bytes = secret.values().iter().map(|value| value.len()).fold(bytes, usize::saturating_add);
            if unknown.len() >= MAX_MORE || bytes > MAX_MORE_BYTES {
                return Err(TooManySecrets);
            }
            unknown.push(secret.clone());
        }
        Ok(unknown)
    }

    /// True if it is the narrower one with exactly these: what it looks for beside them would be told by what it does.
    fn widens(&self, narrower: &Self, by: &[Arc<Secret>]) -> bool {
        let own = self.secrets.get(narrower.secrets.len()..).unwrap_or_default();
        let has = |secret: &Arc<Secret>| own.iter().any(|known| known.values() == secret.values());
        own.len() == by.len() && by.iter().all(has)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Self>>> {
        self.wider.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A masker that also knows `more`. It is not kept: what is made for one request has no use in another.
    #[must_use]
    pub(crate) fn and(&self, more: impl IntoIterator<Item = Arc<Secret>>) -> Arc<Self> {
        self.widened(more)
    }

    /// Bytes that the longest spelling of these may take.
    pub(crate) fn longest_of(secrets: &[Arc<Secret>]) -> usize {
        longest(&secrets.iter().flat_map(|secret| secret.values()).collect::<Vec<_>>())
    }

    /// What this one finds is not built again.
    fn widened(&self, more: impl IntoIterator<Item = Arc<Secret>>) -> Arc<Self> {
        let more: Vec<_> = more.into_iter().collect();
        let values: Vec<_> = more.iter().flat_map(|secret| secret.values()).collect();
        let longest = self.longest.max(longest(&values));
        let finder = Finder::new(values.into_iter().flat_map(spelling::spellings).collect());
        let finders = self.finders.iter().cloned().chain((!finder.is_empty()).then(|| Arc::new(finder))).collect();
        let secrets = self.secrets.iter().cloned().chain(more).collect();
        let (wider, nothing) = (Mutex::default(), OnceLock::new());
        Arc::new(Self { finders, longest, secrets, told: self.told.clone(), wider, nothing })
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
mod tests;
