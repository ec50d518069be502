//! What token endpoints gave to destinations: masked until it expires, whichever session or edition it was given to.

use super::finder::Finder;
use super::spelling::{self, Unescaped};
use super::{Secret, masker};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Tokens of one destination that are masked: the newest.
pub(crate) const MAX_TOLD: usize = 32;
/// Bytes of them together, the newest one apart: an endpoint may give long ones.
const MAX_TOLD_BYTES: usize = 32 * 1024;
/// Masked for so long at least: the peer's clock may differ, and so may what it says.
const SHORTEST_MS: u64 = 3_600_000;
/// Where no life was told, and at most.
const LONGEST_MS: u64 = 86_400_000;

/// Of one destination. Its tokens are zeroed when nobody uses them any more.
#[derive(Default)]
pub(crate) struct Told {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The newest last; with when it may be forgotten.
    tokens: VecDeque<(Arc<Secret>, u64)>,
    /// Of them all; made anew when one comes.
    finder: Option<Arc<Finder>>,
    longest: usize,
}

impl Told {
    /// From now on this one is masked too. `life_ms`: as its endpoint told.
    pub(crate) fn keep(&self, token: &Arc<Secret>, life_ms: Option<u64>, now_ms: u64) {
        let until_ms = now_ms.saturating_add(life_ms.unwrap_or(LONGEST_MS).clamp(SHORTEST_MS, LONGEST_MS));
        let mut state = self.lock();
        // Many an endpoint gives the same one until it expires.
        state.tokens.retain(|(known, until_ms)| now_ms < *until_ms && known.values() != token.values());
        state.tokens.push_back((token.clone(), until_ms));
        while state.tokens.len() > MAX_TOLD || (state.tokens.len() > 1 && state.bytes() > MAX_TOLD_BYTES) {
            state.tokens.pop_front();
        }
        state.build();
    }

    /// Of all of them.
    pub(super) fn finder(&self) -> Option<Arc<Finder>> {
        self.lock().finder.clone()
    }

    /// Where any of them stands in a text, or in what a text says without its escapes.
    pub(super) fn ranges(&self, text: &[u8], unescaped: Option<&Unescaped>) -> Vec<Range<usize>> {
        self.finder().map(|finder| masker::ranges(&finder, text, unescaped)).unwrap_or_default()
    }

    /// True if there is nothing to find.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().tokens.is_empty()
    }

    /// True if it looks for the same values.
    pub(super) fn knows(&self, secret: &Arc<Secret>) -> bool {
        let same = |known: &Arc<Secret>| Arc::ptr_eq(known, secret) || known.values() == secret.values();
        self.lock().tokens.iter().any(|(known, _)| same(known))
    }

    /// Bytes of the longest thing that it looks for.
    pub(super) fn longest(&self) -> usize {
        self.lock().longest
    }

    fn forget(&self, now_ms: u64) {
        let mut state = self.lock();
        let before = state.tokens.len();
        state.tokens.retain(|(_, until_ms)| now_ms < *until_ms);
        if state.tokens.len() < before {
            state.build();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn bytes(&self) -> usize {
        self.tokens.iter().flat_map(|(token, _)| token.values()).map(<[u8]>::len).sum()
    }

    fn build(&mut self) {
        let values: Vec<_> = self.tokens.iter().flat_map(|(token, _)| token.values()).collect();
        self.longest = masker::longest(&values);
        let finder = Finder::new(values.into_iter().flat_map(spelling::spellings).collect());
        self.finder = (!finder.is_empty()).then(|| Arc::new(finder));
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Told({})", self.lock().tokens.len())
    }
}

/// What was told to all destinations of one connector.
#[derive(Debug, Default)]
pub(crate) struct AllTold {
    by_destination: Mutex<HashMap<i64, Arc<Told>>>,
}

impl AllTold {
    /// Of one destination. One that is not stored has no number of its own, and shares with nobody.
    pub(crate) fn of(&self, destination: i64) -> Arc<Told> {
        if destination <= 0 {
            return Arc::default();
        }
        let mut all = self.lock();
        if !all.contains_key(&destination) && all.len() == all.capacity() {
            // It would grow: what nobody uses, and what is of no use, goes first.
            all.retain(|_, told| Arc::strong_count(told) > 1 || !told.is_empty());
        }
        all.entry(destination).or_default().clone()
    }

    /// Forgets tokens that expired. Called when a new one comes: else their number does not grow.
    pub(crate) fn forget(&self, now_ms: u64) {
        let mut all = self.lock();
        all.values().for_each(|told| told.forget(now_ms));
        all.retain(|_, told| Arc::strong_count(told) > 1 || !told.is_empty());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Arc<Told>>> {
        self.by_destination.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use railhead_model::manifest::CredentialUse;

    fn token(text: &str) -> Arc<Secret> {
        Secret::derived("token", CredentialUse::Place, &[], text.as_bytes().to_vec())
    }

    fn finds(told: &Told, text: &str) -> bool {
        !told.ranges(text.as_bytes(), None).is_empty()
    }

    #[test]
    fn the_newest_are_masked_until_they_expire() {
        let told = Told::default();
        for number in 0..=MAX_TOLD {
            told.keep(&token(&format!("token-{number:04}")), None, 0);
        }
        assert!(!finds(&told, "token-0000") && finds(&told, "token-0001") && finds(&told, "token-0032"));
        told.keep(&token("token-0001"), Some(0), 1);
        told.keep(&token("token-0100"), None, 2);
        assert!(finds(&told, "token-0001"), "one that is told again is new again");
        told.forget(SHORTEST_MS);
        assert!(finds(&told, "token-0001") && finds(&told, "token-0032"));
        told.forget(1 + SHORTEST_MS);
        assert!(!finds(&told, "token-0001") && finds(&told, "token-0032"));
        told.forget(2 + LONGEST_MS);
        assert!(told.is_empty() && !finds(&told, "token-0100"));
    }

    #[test]
    fn long_tokens_are_fewer() {
        let told = Told::default();
        for letter in ["a", "b", "c"] {
            told.keep(&token(&letter.repeat(16 * 1024)), None, 0);
        }
        let state = told.lock();
        assert_eq!((state.tokens.len(), state.longest), (2, 6 * 16 * 1024));
        assert!(state.finder.as_ref().is_some_and(|finder| finder.size() < 4 << 20));
    }

    #[test]
    fn a_destination_is_remembered_while_it_has_tokens_or_sessions() {
        let all = AllTold::default();
        let (one, used) = (all.of(1), all.of(2));
        one.keep(&token("token-one"), None, 0);
        drop(one);
        assert!(finds(&all.of(1), "token-one") && !finds(&used, "token-one"));
        all.forget(LONGEST_MS);
        assert!(Arc::ptr_eq(&used, &all.of(2)));
        assert_eq!(all.lock().len(), 1);
        assert!(!Arc::ptr_eq(&all.of(0), &all.of(0)));
        drop(used);
        (3..10_000).for_each(|number| drop(all.of(number)));
        let left = all.lock().len();
        assert!(left < 100, "{left}");
    }
}
