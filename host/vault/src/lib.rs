//! The vault: envelope encryption of everything that a database file must not give away.
//!
//! A master key wraps a random data key per tenant; what is sealed for a tenant is sealed under keys derived from its
//! data key (HKDF-SHA256, per purpose and UTC day), with AES-256-GCM, a random 96-bit nonce, and associated data that
//! binds it to its place. Deleting a tenant's wrapped key erases all of it.

mod master;
mod sealer;
mod tenant;

pub use master::{MasterKey, MasterKeys, Vault};
pub use railhead_model::{Random, SystemRandom};
pub use sealer::Sealer;
pub use tenant::{Lane, TenantKeys};

/// Why something could not be sealed or opened. Never carries what was in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// A master key's text is not one.
    #[error("the master key is not valid: {0}")]
    BadMasterKey(&'static str),
    /// It was wrapped by a master key that this host does not have.
    #[error("master key `{0}` is needed and not configured; add its line to the master key file")]
    UnknownMasterKey(String),
    /// The master key is known by id, and yet does not open it; or the data was changed.
    #[error("sealed data cannot be opened: it was changed, or belongs elsewhere")]
    NotOpened,
}

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};

const NONCE: usize = 12;
const TAG: usize = 16;

/// nonce ‖ ciphertext ‖ tag, after `prefix`.
pub(crate) fn seal(cipher: &Aes256Gcm, random: &dyn Random, prefix: &[u8], aad: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut nonce = [0; NONCE];
    random.fill(&mut nonce);
    let start = prefix.len() + NONCE;
    let mut out = Vec::with_capacity(start + plain.len() + TAG);
    out.extend_from_slice(prefix);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(plain);
    // Fails only above 64 GiB of plaintext, which no caller can hold: all inputs are bounded by megabytes.
    match cipher.encrypt_inout_detached(&Nonce::from(nonce), aad, (&mut out[start..]).into()) {
        Ok(tag) => out.extend_from_slice(&tag),
        Err(_) => out.clear(),
    }
    out
}

pub(crate) fn open(cipher: &Aes256Gcm, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE>().ok_or(VaultError::NotOpened)?;
    let (body, tag) = rest.split_last_chunk::<TAG>().ok_or(VaultError::NotOpened)?;
    let mut plain = body.to_vec();
    cipher
        .decrypt_inout_detached(&Nonce::from(*nonce), aad, plain.as_mut_slice().into(), &(*tag).into())
        .map_err(|_| VaultError::NotOpened)?;
    Ok(plain)
}

pub(crate) fn cipher(key: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(&(*key).into())
}
