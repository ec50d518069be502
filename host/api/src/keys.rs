//! API keys: their form, their hash, and those seen lately.

use crate::problem::Problem;
use crate::state::ApiState;
use railhead_store::directory::Key;
use railhead_vault::Random;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// A key that comes from the host's settings: never in the store, gone when the setting is.
#[derive(Clone)]
pub struct SettingsKey {
    /// SHA-256 of its secret ([`hash`]).
    pub hash: [u8; 32],
    /// Name of its environment; `None`: the administrator's.
    pub environment: Option<String>,
    /// What it may do; ignored for the administrator's.
    pub scopes: Vec<String>,
}

impl fmt::Debug for SettingsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SettingsKey").field("environment", &self.environment).finish_non_exhaustive()
    }
}

/// Characters of a secret's random part: 40 of 62 are 238 bits.
const SECRET_CHARS: usize = 40;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new secret: `rk_<environment>_<40 random characters of A-Z a-z 0-9>`; `rk_admin_…` for the administrator.
#[must_use]
pub fn new_secret(environment: Option<&str>, random: &dyn Random) -> String {
    let mut secret = format!("rk_{}_", environment.unwrap_or("admin"));
    let end = secret.len() + SECRET_CHARS;
    while secret.len() < end {
        let mut byte = [0];
        random.fill(&mut byte);
        // Bytes of the last, incomplete run of 62 are drawn again: every character is equally likely.
        if let Some(char) = (byte[0] < 248).then(|| BASE62.get(usize::from(byte[0] % 62))).flatten() {
            secret.push(char::from(*char));
        }
    }
    secret
}

/// What the store keeps of a secret. Secrets have 238 random bits: a plain hash cannot be turned back.
#[must_use]
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Keys seen lately, so that a busy publisher costs no query a request. They are forgotten when a host says that keys
/// changed ([`railhead_delivery::Delivery::keys_heard`]); one that is not heard is believed for [`KEPT_MS`] at most.
#[derive(Debug, Default)]
pub struct KeyCache(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    keys: HashMap<[u8; 32], (u64, Key)>,
    /// What was heard of keys when these were read. One that was read before a change must not be kept after it.
    heard: u64,
}

const KEPT_MS: u64 = 2_000;
const KEPT: usize = 10_000;

impl KeyCache {
    /// The key whose secret has this hash: as it was [`KEPT_MS`] ago at most, else as it is stored.
    ///
    /// # Errors
    /// The store's.
    pub async fn find(&self, state: &ApiState, hash: &[u8; 32]) -> Result<Option<Key>, Problem> {
        let now_ms = state.clock.monotonic_ms();
        let heard = state.delivery.keys_heard();
        if let Some(key) = self.get(hash, now_ms, heard) {
            return Ok(Some(key));
        }
        let found = state.store.key_by_hash(hash).await?;
        if let Some(key) = &found {
            self.put(key, now_ms, heard);
        }
        Ok(found)
    }

    /// A key that is known, as of what was heard by now.
    fn get(&self, hash: &[u8; 32], now_ms: u64, heard: u64) -> Option<Key> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.hear(heard);
        let fresh = known.keys.get(hash).filter(|(at, _)| now_ms.saturating_sub(*at) < KEPT_MS);
        fresh.map(|(_, key)| key.clone())
    }

    /// Keeps a key that was read after `heard`, unless more was heard since.
    fn put(&self, key: &Key, now_ms: u64, heard: u64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.heard != heard {
            return;
        }
        if known.keys.len() >= KEPT {
            known.keys.clear();
        }
        known.keys.insert(key.hash, (now_ms, key.clone()));
    }
}

impl Known {
    fn hear(&mut self, heard: u64) {
        if heard > self.heard {
            *self = Self { heard, ..Self::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use railhead_vault::SystemRandom;

    #[test]
    fn secrets_have_their_form_and_do_not_repeat() {
        let secret = new_secret(Some("live"), &SystemRandom);
        let random = secret.strip_prefix("rk_live_").expect("the prefix");
        assert!(random.len() == SECRET_CHARS && random.bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_ne!(secret, new_secret(Some("live"), &SystemRandom));
        assert!(new_secret(None, &SystemRandom).starts_with("rk_admin_"));
    }

    #[test]
    fn a_key_that_was_read_before_its_revocation_is_not_kept_after_it() {
        let (cache, hash) = (KeyCache::default(), [7; 32]);
        let key = Key {
            id: railhead_model::KeyId::new(railhead_model::Timestamp(0), [0; 10]),
            environment: None,
            name: String::new(),
            hash,
            scopes: Vec::new(),
            created_at: railhead_model::Timestamp(0),
            expires_at: None,
            revoked: false,
        };
        assert_eq!(cache.get(&hash, 0, 4), None, "unknown, and being read");
        assert_eq!(cache.get(&hash, 0, 5), None, "somebody else's request hears of the change first");
        cache.put(&key, 0, 4);
        assert_eq!(cache.get(&hash, 0, 5), None, "not kept");
        cache.put(&key, 0, 5);
        assert_eq!(cache.get(&hash, 0, 5), Some(key.clone()));
        assert_eq!(cache.get(&hash, 0, 6), None, "forgotten with the next news");
        cache.put(&key, 0, 6);
        assert_eq!(cache.get(&hash, KEPT_MS, 6), None, "believed for so long only");
    }
}
