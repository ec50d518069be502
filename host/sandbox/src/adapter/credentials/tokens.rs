//! `credentials.jwt` and `credentials.azure-sas`: bearers of a bounded life, as handles.

use super::super::{Credential, Guest, PIECE, allow_use, failure};
use super::{Handle, Made};
use crate::bindings::railhead::plugin::types::Kind;
use crate::secret::Secret;
use crate::secret::token::{Refused, Token};
use railhead_model::manifest::CredentialUse;

/// How a token is made of a key, at a time in seconds since 1970.
type Make<'a> = &'a dyn Fn(&Secret, i64) -> Result<Token, Refused>;

impl Guest {
    /// Makes a token with a field of use `token`. It is of use `place`, goes where its key may, and is masked from then on in
    /// all that comes back to this destination.
    pub(super) fn token(&mut self, key: &Handle, make: Make<'_>) -> Made {
        let key = self.secret(key)?;
        if let Err(failure) = allow_use(&key, CredentialUse::Token) {
            return Ok(Err(failure));
        }
        let now_s = self.clock.now().0.div_euclid(1000);
        let token = match self.meter.charged(|| make(&key, now_s)) {
            Ok(token) => token,
            Err(refused) => return Ok(Err(failure(Kind::Invalid, refused.code, refused.message))),
        };
        let bytes = token.text.as_bytes().to_vec();
        let secret = Secret::derived_as(key.field(), CredentialUse::Place, key.origins(), bytes, key.heritage());
        let life_ms = u64::try_from(token.life_s).unwrap_or(0).saturating_mul(1_000);
        let now_ms = self.clock.monotonic_ms();
        if let Err(full) = self.meter.charged(|| self.scope.told.keep(&secret, Some(life_ms), now_ms)) {
            return Ok(Err(failure(Kind::Other, "credentials-too-many", full.to_string())));
        }
        let held = token.text.len().saturating_add(PIECE);
        if !self.hold(held) {
            let message = "The credentials that this session made hold more bytes than a session may.";
            return Ok(Err(failure(Kind::TooLarge, "session-too-large", message)));
        }
        let handle = self.table.push(Credential(secret))?;
        self.composed.insert(handle.rep(), held);
        Ok(Ok(handle))
    }
}
