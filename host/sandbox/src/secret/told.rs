//! What token endpoints gave to destinations, and what was signed for them: masked until it expires, whichever session or
//! edition it was given to. There is no more of it than can be masked: past that no more is made.

use super::finder::Finder;
use super::spelling::{self, Unescaped};
use super::{Secret, masker};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Tokens of one destination that are masked.
pub(crate) const MAX_TOLD: usize = 128;
/// Bytes of them together, but for a single one: an endpoint may give a long one.
const MAX_TOLD_BYTES: usize = 96 * 1024;
/// Masked for so long at least: the peer's clock may differ, and so may what it says.
const SHORTEST_MS: u64 = 3_600_000;
/// Where no life was told, and at most.
const LONGEST_MS: u64 = 86_400_000;
/// The life of a token of which none was told: after it, it makes room for newer ones where there is no other.
const USUAL_MS: u64 = 3_600_000;
/// No token makes room before it is so old.
const FIRM_MS: u64 = 600_000;

/// There are as many tokens as can be masked, and none of them has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "This destination has more tokens in force than its host masks, {MAX_TOLD} or {MAX_TOLD_BYTES} bytes. There will be room \
     once they expire; tokens of a shorter life, or fewer of them, need less."
)]
pub(crate) struct Full;

/// Of one destination. Its tokens are zeroed when nobody uses them any more.
#[derive(Default)]
pub(crate) struct Told {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The newest last.
    tokens: VecDeque<Known>,
    /// Of them all; made anew when one comes.
    finder: Option<Arc<Finder>>,
    longest: usize,
}

struct Known {
    token: Arc<Secret>,
    /// It expired, and may make room for another one.
    firm_ms: u64,
    /// It may be forgotten.
    until_ms: u64,
}

impl Told {
    /// From now on this one is masked too. `life_ms`: as its endpoint told.
    ///
    /// # Errors
    /// There is no room for it: nobody may have it then.
    pub(crate) fn keep(&self, token: &Arc<Secret>, life_ms: Option<u64>, now_ms: u64) -> Result<(), Full> {
        let until_ms = now_ms.saturating_add(life_ms.unwrap_or(LONGEST_MS).clamp(SHORTEST_MS, LONGEST_MS));
        let firm_ms = now_ms.saturating_add(life_ms.unwrap_or(USUAL_MS).clamp(FIRM_MS, LONGEST_MS));
        let mut state = self.lock();
        // Many an endpoint gives the same one until it expires.
        state.tokens.retain(|known| now_ms < known.until_ms && known.token.values() != token.values());
        state.tokens.push_back(Known { token: token.clone(), firm_ms, until_ms });
        while state.is_over() {
            let Some(oldest) = state.tokens.iter().position(|known| known.firm_ms <= now_ms) else {
                state.tokens.pop_back();
                state.build();
                return Err(Full);
            };
            state.tokens.remove(oldest);
        }
        state.build();
        Ok(())
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
        let same = |known: &Known| Arc::ptr_eq(&known.token, secret) || known.token.values() == secret.values();
        self.lock().tokens.iter().any(same)
    }

    /// Bytes of the longest thing that it looks for.
    pub(super) fn longest(&self) -> usize {
        self.lock().longest
    }

    fn forget(&self, now_ms: u64) {
        let mut state = self.lock();
        let before = state.tokens.len();
        state.tokens.retain(|known| now_ms < known.until_ms);
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
        self.tokens.iter().flat_map(|known| known.token.values()).map(<[u8]>::len).sum()
    }

    fn is_over(&self) -> bool {
        self.tokens.len() > MAX_TOLD || (self.tokens.len() > 1 && self.bytes() > MAX_TOLD_BYTES)
    }

    fn build(&mut self) {
        let values: Vec<_> = self.tokens.iter().flat_map(|known| known.token.values()).collect();
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
    fn tokens_are_masked_until_they_expire() {
        let told = Told::default();
        told.keep(&token("token-none"), None, 0).unwrap();
        told.keep(&token("token-short"), Some(0), 0).unwrap();
        told.keep(&token("token-again"), Some(0), 0).unwrap();
        told.keep(&token("token-again"), Some(0), 1).unwrap();
        told.forget(SHORTEST_MS);
        assert!(finds(&told, "token-again") && finds(&told, "token-none"), "one that is told again is new again");
        assert!(!finds(&told, "token-short"));
        told.forget(1 + SHORTEST_MS);
        assert!(!finds(&told, "token-again") && finds(&told, "token-none"));
        told.forget(LONGEST_MS);
        assert!(told.is_empty() && !finds(&told, "token-none"));
    }

    #[test]
    fn none_that_is_in_force_makes_room() {
        let told = Told::default();
        let numbered = |number: usize| token(&format!("token-{number:04}"));
        for number in 0..MAX_TOLD {
            told.keep(&numbered(number), Some(if number == 7 { 60_000 } else { 7_200_000 }), 0).unwrap();
        }
        assert_eq!(told.keep(&token("token-more"), None, FIRM_MS - 1), Err(Full));
        assert!(finds(&told, "token-0000") && !finds(&told, "token-more"));
        assert_eq!(told.keep(&numbered(3), Some(7_200_000), 1), Ok(()), "one that is known needs no room");
        assert_eq!(told.keep(&token("token-more"), None, FIRM_MS), Ok(()));
        assert!(finds(&told, "token-0000") && finds(&told, "token-more") && !finds(&told, "token-0007"));
        assert_eq!(told.keep(&token("token-last"), None, 7_199_999), Ok(()), "no life of `token-more` was told");
        assert!(!finds(&told, "token-more"));
    }

    #[test]
    fn long_tokens_are_fewer() {
        let told = Told::default();
        let most = MAX_TOLD_BYTES / (16 * 1024);
        for letter in (b'a'..).take(most) {
            told.keep(&token(&char::from(letter).to_string().repeat(16 * 1024)), None, 0).unwrap();
        }
        assert_eq!(told.keep(&token("token-more"), None, 0), Err(Full));
        let state = told.lock();
        assert_eq!((state.tokens.len(), state.longest), (most, 6 * 16 * 1024));
        assert!(state.finder.as_ref().is_some_and(|finder| finder.size() < 12 << 20));
    }

    #[test]
    fn a_destination_is_remembered_while_it_has_tokens_or_sessions() {
        let all = AllTold::default();
        let (one, used) = (all.of(1), all.of(2));
        one.keep(&token("token-one"), None, 0).unwrap();
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
