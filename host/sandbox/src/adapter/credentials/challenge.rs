//! `credentials.answer` and `credentials.sign-challenge`: bytes that are good for one challenge of one server.

use super::super::{Connection, Guest, allow_use, failure};
use super::scram::allow_password;
use crate::bindings::railhead::plugin::credentials::Failure;
use crate::bindings::railhead::plugin::types::Kind;
use crate::egress::{Recent, Stream};
use crate::secret::Secret;
use crate::secret::answer::Scheme;
use crate::secret::challenge::{is_challenge, is_nonce};
use crate::secret::key::KeyAlgorithm;
use railhead_model::manifest::CredentialUse;
use wasmtime::component::Resource;

/// Bytes of a user's name.
const MAX_USER: usize = 1024;

/// Bytes of its nonce that MySQL sends first, and the others a few fields later ("Protocol::HandshakeV10").
const MYSQL_FIRST: usize = 8;

impl Guest {
    /// Fails unless a server sent what is to be answered: one that the session is connected to, and that the field may go to.
    /// Else a guest could answer for a server of its own what the customer's asked of somebody else.
    pub(super) fn heard(&self, field: &Secret, is: impl Fn(&Stream, &Recent) -> bool) -> Result<(), Failure> {
        let mut connected = false;
        for handle in &self.connections {
            let stream =
                &self.table.get(&Resource::<Connection>::new_borrow(*handle)).map(|connection| &connection.stream);
            let Ok(stream) = stream else { continue };
            if let Some(recent) = stream.heard_for(field) {
                connected = true;
                if self.meter.charged(|| is(stream, recent)) {
                    return Ok(());
                }
            }
        }
        let name = field.field();
        Err(if connected {
            let message = format!(
                "No server that this session is connected to, and that the credential {name} may go to, sent this \
                 challenge over this channel."
            );
            failure(Kind::Denied, "challenge-unheard", message)
        } else {
            let message = format!("This session is connected to no server that the credential {name} may go to.");
            failure(Kind::Denied, "challenge-not-connected", message)
        })
    }

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
        self.heard(password, |_, recent| match nonce.split_at_checked(MYSQL_FIRST) {
            Some((first, second)) if scheme.nonce_length() == 20 => recent.has(nonce) || recent.has_both(first, second),
            _ => recent.has(nonce),
        })?;
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
        // The session's identifier of SSH was never sent: both sides computed it.
        self.heard(key, |_, recent| !is_nonce(message) || recent.has(message))?;
        self.meter.charged(|| key.signature(algorithm, message)).ok_or_else(|| {
            let message = format!("The credential field {} is not a key of this algorithm.", key.field());
            failure(Kind::Invalid, "key-unsuitable", message)
        })
    }
}
