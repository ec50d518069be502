//! `credentials.answer` and `credentials.sign-challenge`: bytes that are good for one challenge of one server.

use super::super::{Guest, allow_use, failure};
use super::scram::allow_password;
use crate::bindings::railhead::plugin::credentials::Failure;
use crate::bindings::railhead::plugin::types::Kind;
use crate::secret::Secret;
use crate::secret::answer::Scheme;
use crate::secret::challenge::is_challenge;
use crate::secret::key::KeyAlgorithm;
use railhead_model::manifest::CredentialUse;

/// Bytes of a user's name.
const MAX_USER: usize = 1024;

impl Guest {
    /// See `answer` in the contract.
    pub(super) fn answered(
        &self,
        password: &Secret,
        scheme: &str,
        user: &str,
        nonce: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        allow_password(password)?;
        let scheme = Scheme::parse(scheme).ok_or_else(|| {
            let message = "This host answers mysql-native, mysql-caching-sha2, mariadb-ed25519 and postgres-md5.";
            failure(Kind::Invalid, "scheme-unknown", message)
        })?;
        if user.len() > MAX_USER {
            return Err(failure(Kind::Invalid, "user-too-long", "A user name has at most 1024 bytes."));
        }
        if nonce.len() != scheme.nonce_length() {
            let message = format!("The challenge of this scheme has {} bytes.", scheme.nonce_length());
            return Err(failure(Kind::Invalid, "challenge-length", message));
        }
        Ok(self.meter.charged(|| scheme.answer(user, password.bytes(), nonce)))
    }

    /// See `sign-challenge` in the contract.
    pub(super) fn signed_challenge(&self, key: &Secret, algorithm: &str, message: &[u8]) -> Result<Vec<u8>, Failure> {
        allow_use(key, CredentialUse::Challenge)?;
        let algorithm = KeyAlgorithm::parse(algorithm).ok_or_else(|| {
            let message = "This host signs challenges with ed25519, es256, rs256 or rsa-sha2-512.";
            failure(Kind::Invalid, "algorithm-unknown", message)
        })?;
        if !is_challenge(message, algorithm) {
            let message = "This is no challenge of SSH with a key of this algorithm, and no nonce of 8 to 64 letters.";
            return Err(failure(Kind::Denied, "challenge-unknown", message));
        }
        self.meter.charged(|| key.signature(algorithm, message)).ok_or_else(|| {
            let message = format!("The credential field {} is not a key of this algorithm.", key.field());
            failure(Kind::Invalid, "key-unsuitable", message)
        })
    }
}
