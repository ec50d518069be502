//! API keys: their form, their hash, and who holds one.

use crate::auth::{Action, Principal};
use crate::codes;
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

/// Keys seen lately, so that a busy publisher costs no query a request. Revocation by this host is immediate, by
/// another host within [`KEPT_MS`].
#[derive(Debug, Default)]
pub struct KeyCache(Mutex<HashMap<[u8; 32], (u64, Key)>>);

const KEPT_MS: u64 = 2_000;
const KEPT: usize = 10_000;

impl KeyCache {
    fn get(&self, hash: &[u8; 32], now_ms: u64) -> Option<Key> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(hash).filter(|(at, _)| now_ms.saturating_sub(*at) < KEPT_MS).map(|(_, key)| key.clone())
    }

    fn put(&self, key: &Key, now_ms: u64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(key.hash, (now_ms, key.clone()));
    }

    /// Forgets a key that was changed.
    pub fn forget(&self, hash: &[u8; 32]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(hash);
    }
}

/// Finds the holder of a secret.
///
/// # Errors
/// 401; 503 if the store does not answer.
pub async fn authenticate(state: &ApiState, secret: &str) -> Result<Principal, Problem> {
    let hash = hash(secret);
    if let Some(key) = state.options.keys.iter().find(|key| key.hash == hash) {
        return from_settings(state, key).await;
    }
    let now_ms = state.clock.monotonic_ms();
    let key = match state.keys.get(&hash, now_ms) {
        Some(key) => key,
        None => {
            let key = state.store.key_by_hash(&hash).await?.ok_or_else(unauthenticated)?;
            state.keys.put(&key, now_ms);
            key
        }
    };
    if key.revoked || key.expires_at.is_some_and(|at| at <= state.now()) {
        return Err(unauthenticated());
    }
    let scopes = if key.environment.is_none() { admin_scopes() } else { key.scopes };
    Ok(Principal { key: Some(key.id), environment: key.environment, scopes })
}

async fn from_settings(state: &ApiState, key: &SettingsKey) -> Result<Principal, Problem> {
    let Some(name) = &key.environment else {
        return Ok(Principal { key: None, environment: None, scopes: admin_scopes() });
    };
    let environment = state.environment_named(name).await?.ok_or_else(unauthenticated)?;
    Ok(Principal { key: None, environment: Some(environment.no), scopes: key.scopes.clone() })
}

fn admin_scopes() -> Vec<String> {
    vec![Action::Admin.scope().to_owned()]
}

/// The same words for every reason: a guesser learns nothing.
#[must_use]
pub fn unauthenticated() -> Problem {
    Problem::new(&codes::UNAUTHENTICATED, "A valid API key is needed: `Authorization: Bearer <key>`.")
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
}
