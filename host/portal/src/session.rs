//! Who is signed in: a key, sealed into a cookie that only this host can open.

use crate::Portal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{COOKIE, HOST};
use http::{HeaderMap, HeaderValue};
use railhead_model::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// How long a person stays signed in, in milliseconds. It stands inside of the sealed value.
pub const LIFE_MS: i64 = 8 * 3_600_000;
/// The cookie's name.
const COOKIE_NAME: &str = "railhead_session";
/// Characters of a key at most; the API takes no longer ones.
pub const MAX_KEY: usize = 256;

/// A person's session.
#[derive(Clone, Serialize, Deserialize)]
pub struct Session {
    /// Which session: signing out ends it wherever its cookie is.
    id: [u8; 16],
    /// The API key.
    #[serde(serialize_with = "write_key", deserialize_with = "read_key")]
    pub key: Zeroizing<String>,
    /// The environment that is looked at; `None` where the key's own is not known.
    pub environment: Option<String>,
    /// Whether it is the administrator's key, which may choose the environment.
    pub admin: bool,
    /// The end.
    pub until: Timestamp,
}

fn write_key<S: Serializer>(key: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(key)
}

fn read_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(deserializer).map(Zeroizing::new)
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("environment", &self.environment)
            .field("admin", &self.admin)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A session that begins now.
    #[must_use]
    pub fn begin(portal: &Portal, key: Zeroizing<String>) -> Self {
        let mut id = [0; 16];
        portal.random.fill(&mut id);
        Self { id, key, environment: None, admin: false, until: portal.clock.now().plus_ms(LIFE_MS) }
    }

    /// The session of a request's cookie; `None` if there is none that is good.
    #[must_use]
    pub fn of(portal: &Portal, headers: &HeaderMap) -> Option<Self> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let (_, value) = pairs.find(|(name, _)| *name == COOKIE_NAME)?;
        let sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
        let plain = portal.sealer.open(&sealed).ok()?;
        let session: Self = serde_json::from_slice(&plain).ok()?;
        let good = session.until > portal.clock.now() && !portal.ended.contains(&session.id);
        good.then_some(session)
    }

    /// Ends it: its cookie is not good any more, whoever kept it.
    pub fn end(&self, portal: &Portal) {
        portal.ended.add(self.id, self.until, portal.clock.now());
    }

    /// `set-cookie` for this session.
    #[must_use]
    pub fn cookie(&self, portal: &Portal, headers: &HeaderMap) -> Option<HeaderValue> {
        let plain = Zeroizing::new(serde_json::to_vec(self).ok()?);
        let left = self.until.since(portal.clock.now()).max(0) / 1_000;
        cookie(portal, headers, &URL_SAFE_NO_PAD.encode(portal.sealer.seal(&plain)), left)
    }
}

/// Sessions that were signed out, until they would have ended by themselves. In this process's memory: a restart forgets
/// them, and other hosts on the same database do not know them.
#[derive(Clone, Debug, Default)]
pub struct Ended(Arc<Mutex<HashMap<[u8; 16], Timestamp>>>);

/// Sessions that are remembered; beyond them those that end first are forgotten.
const MAX_ENDED: usize = 10_000;

impl Ended {
    fn contains(&self, id: &[u8; 16]) -> bool {
        self.lock().contains_key(id)
    }

    fn add(&self, id: [u8; 16], until: Timestamp, now: Timestamp) {
        let mut ended = self.lock();
        if ended.len() >= MAX_ENDED {
            ended.retain(|_, until| *until > now);
        }
        if ended.len() >= MAX_ENDED
            && let Some(first) = ended.iter().min_by_key(|(_, until)| **until).map(|(id, _)| *id)
        {
            ended.remove(&first);
        }
        ended.insert(id, until);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 16], Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `set-cookie` that ends a session in this browser.
#[must_use]
pub fn no_cookie(portal: &Portal, headers: &HeaderMap) -> Option<HeaderValue> {
    cookie(portal, headers, "", 0)
}

fn cookie(portal: &Portal, headers: &HeaderMap, value: &str, seconds: i64) -> Option<HeaderValue> {
    let secure = if is_secure(portal, headers) { "; Secure" } else { "" };
    let text = format!("{COOKIE_NAME}={value}; Path=/ui; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).ok()
}

fn is_secure(portal: &Portal, headers: &HeaderMap) -> bool {
    portal.https_only || forwarded_https(headers)
}

/// Whether a proxy says that the browser came by HTTPS. A liar only keeps its own cookie from itself.
fn forwarded_https(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok()).is_some_and(|scheme| scheme == "https")
}

/// True where a browser would not keep the cookie: it is for HTTPS, and nothing says that this is it.
#[must_use]
pub fn needs_https(portal: &Portal, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_local = ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|name| host.strip_prefix(name).is_some_and(|port| port.is_empty() || port.starts_with(':')));
    portal.https_only && !forwarded_https(headers) && !is_local
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ended_sessions_are_remembered_until_they_would_end_and_are_bounded() {
        let ended = Ended::default();
        let id = |n: usize| (n as u128).to_be_bytes();
        for n in 0..MAX_ENDED {
            ended.add(id(n), Timestamp(1_000 + n as i64), Timestamp(0));
        }
        ended.add(id(MAX_ENDED), Timestamp(9_000_000), Timestamp(0));
        assert!(!ended.contains(&id(0)) && ended.contains(&id(1)) && ended.contains(&id(MAX_ENDED)));
        ended.add(id(0), Timestamp(9_000_000), Timestamp(1_005));
        assert!(!ended.contains(&id(5)) && ended.contains(&id(6)) && ended.contains(&id(0)));
        assert!(ended.lock().len() < MAX_ENDED);
    }
}
