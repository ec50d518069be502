//! Seals small values of the host's own that live outside of its store, such as a session in a browser's cookie.

use crate::{Vault, VaultError, cipher, open, seal};
use aes_gcm::Aes256Gcm;
use railhead_model::Random;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Seals and opens for one purpose. Its key is derived from the current master key: what it sealed is lost when that is
/// replaced. Cheap to clone; does not print.
#[derive(Clone)]
pub struct Sealer {
    cipher: Arc<Aes256Gcm>,
    random: Arc<dyn Random>,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

impl Vault {
    /// A sealer for this purpose: nothing that another one sealed opens with it.
    #[must_use]
    pub fn sealer(&self, purpose: &str) -> Sealer {
        let key = Zeroizing::new(self.derive(purpose));
        Sealer { cipher: Arc::new(cipher(&key)), random: Arc::clone(self.random()) }
    }
}

impl Sealer {
    /// Seals a value.
    #[must_use]
    pub fn seal(&self, plain: &[u8]) -> Vec<u8> {
        seal(&self.cipher, self.random.as_ref(), &[], b"", plain)
    }

    /// Opens what [`Sealer::seal`] sealed.
    ///
    /// # Errors
    /// [`VaultError::NotOpened`].
    pub fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        open(&self.cipher, b"", sealed).map(Zeroizing::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MasterKey, MasterKeys, SystemRandom};

    #[test]
    fn a_sealer_opens_what_it_sealed_and_nothing_else() {
        let vault = Vault::new(MasterKeys::one(MasterKey::generate(&SystemRandom)), Arc::new(SystemRandom));
        let (pages, other) = (vault.sealer("pages"), vault.sealer("other"));
        let sealed = pages.seal(b"a session");
        assert_eq!(vault.sealer("pages").open(&sealed).expect("opens").as_slice(), b"a session");
        assert!(!sealed.windows(9).any(|part| part == b"a session"));
        assert_eq!(other.open(&sealed).err(), Some(VaultError::NotOpened));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(pages.open(&changed).is_err(), "byte {at}");
        }
        assert!(pages.open(&[]).is_err());
    }
}
