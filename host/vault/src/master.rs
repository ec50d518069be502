//! Master keys, and the vault that they open.

use crate::tenant::TenantKeys;
use crate::{VaultError, cipher, open, seal};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hkdf::Hkdf;
use railhead_model::Random;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::sync::Arc;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// 32 random bytes, and an id derived from them. Its text is `rmk1_` and base64. Does not print.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", hex::encode(self.id()))
    }
}

const TEXT_PREFIX: &str = "rmk1_";

impl MasterKey {
    /// A new key.
    #[must_use]
    pub fn generate(random: &dyn Random) -> Self {
        let mut key = Self([0; 32]);
        random.fill(&mut key.0);
        key
    }

    /// Reads its text.
    ///
    /// # Errors
    /// [`VaultError::BadMasterKey`], without the text.
    pub fn parse(text: &str) -> Result<Self, VaultError> {
        let rest =
            text.trim().strip_prefix(TEXT_PREFIX).ok_or(VaultError::BadMasterKey("it must begin with `rmk1_`"))?;
        let mut bytes =
            STANDARD.decode(rest).map_err(|_| VaultError::BadMasterKey("what follows `rmk1_` is not base64"))?;
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map(Self);
        bytes.zeroize();
        key.map_err(|_| VaultError::BadMasterKey("it must hold 32 bytes"))
    }

    /// Its text: for the file that holds it, nothing else.
    #[must_use]
    pub fn to_text(&self) -> zeroize::Zeroizing<String> {
        zeroize::Zeroizing::new(format!("{TEXT_PREFIX}{}", STANDARD.encode(self.0)))
    }

    /// What ciphertexts name it by: 8 bytes of SHA-256 over a label and the key.
    #[must_use]
    pub fn id(&self) -> [u8; 8] {
        let mut hash = Sha256::new();
        hash.update(b"railhead master key id\0");
        hash.update(self.0);
        let digest: [u8; 32] = hash.finalize().into();
        let mut id = [0; 8];
        id.copy_from_slice(&digest[..8]);
        id
    }
}

/// The master keys of a host: the first seals, all open.
#[derive(Clone, Debug)]
pub struct MasterKeys(Vec<MasterKey>);

impl MasterKeys {
    /// Keys in the order of a file: one text a line, the current one first; blank lines and `#` comments are skipped.
    ///
    /// # Errors
    /// [`VaultError::BadMasterKey`] for a line that is none, or no line at all.
    pub fn parse(text: &str) -> Result<Self, VaultError> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys = lines.map(MasterKey::parse).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(VaultError::BadMasterKey("there is none"));
        }
        Ok(Self(keys))
    }

    /// One key.
    #[must_use]
    pub fn one(key: MasterKey) -> Self {
        Self(vec![key])
    }
}

/// Wraps and opens tenant keys, and derives the host's own keys.
pub struct Vault {
    keys: MasterKeys,
    random: Arc<dyn Random>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// Wrapped keys begin with this, then the master key's id.
const WRAP_VERSION: u8 = 1;
const CHECK: &[u8] = b"railhead: this store belongs to the master key that opens this";

impl Vault {
    /// A vault over these keys.
    #[must_use]
    pub fn new(keys: MasterKeys, random: Arc<dyn Random>) -> Self {
        Self { keys, random }
    }

    /// Where its randomness comes from.
    #[must_use]
    pub fn random(&self) -> &Arc<dyn Random> {
        &self.random
    }

    /// A new tenant data key, wrapped. `binding` names the tenant (environment and id): it opens for that one only.
    #[must_use]
    pub fn new_tenant_key(&self, binding: &str) -> Vec<u8> {
        let mut key = zeroize::Zeroizing::new([0; 32]);
        self.random.fill(key.as_mut_slice());
        self.wrap(binding.as_bytes(), key.as_slice())
    }

    /// Opens a tenant's data key.
    ///
    /// # Errors
    /// [`VaultError::UnknownMasterKey`], [`VaultError::NotOpened`].
    pub fn open_tenant(&self, binding: &str, wrapped: &[u8]) -> Result<TenantKeys, VaultError> {
        let key = zeroize::Zeroizing::new(self.unwrap(binding.as_bytes(), wrapped)?);
        let key = <&[u8; 32]>::try_from(key.as_slice()).map_err(|_| VaultError::NotOpened)?;
        Ok(TenantKeys::new(key, Arc::clone(&self.random)))
    }

    /// The same data key wrapped by the current master key; `None` if it is already.
    ///
    /// # Errors
    /// As [`Vault::open_tenant`].
    pub fn rewrap(&self, binding: &str, wrapped: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        if wrapped.get(1..9) == self.keys.0.first().map(MasterKey::id).as_ref().map(<[u8; 8]>::as_slice) {
            return Ok(None);
        }
        let key = zeroize::Zeroizing::new(self.unwrap(binding.as_bytes(), wrapped)?);
        Ok(Some(self.wrap(binding.as_bytes(), &key)))
    }

    /// A value that only these master keys open: stored once, checked at every start.
    #[must_use]
    pub fn check_value(&self) -> Vec<u8> {
        self.wrap(CHECK_BINDING.as_bytes(), CHECK)
    }

    /// Checks a stored check value.
    ///
    /// # Errors
    /// The store was made under another master key.
    pub fn verify_check(&self, stored: &[u8]) -> Result<(), VaultError> {
        let opened = self.unwrap(CHECK_BINDING.as_bytes(), stored)?;
        if opened == CHECK { Ok(()) } else { Err(VaultError::NotOpened) }
    }

    /// Keys of the host's own (environment-wide stored answers, cursors): as a tenant's, bound to a random data key that
    /// the caller stores wrapped.
    ///
    /// # Errors
    /// As [`Vault::open_tenant`].
    pub fn open_host(&self, wrapped: &[u8]) -> Result<TenantKeys, VaultError> {
        self.open_tenant(HOST_BINDING, wrapped)
    }

    /// As [`Vault::rewrap`], for the key of [`Vault::open_host`].
    ///
    /// # Errors
    /// As [`Vault::open_tenant`].
    pub fn rewrap_host(&self, wrapped: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        self.rewrap(HOST_BINDING, wrapped)
    }

    /// As [`Vault::rewrap`], for [`Vault::check_value`].
    ///
    /// # Errors
    /// As [`Vault::verify_check`].
    pub fn rewrap_check(&self, stored: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        self.rewrap(CHECK_BINDING, stored)
    }

    /// A new wrapped key for [`Vault::open_host`].
    #[must_use]
    pub fn new_host_key(&self) -> Vec<u8> {
        self.new_tenant_key(HOST_BINDING)
    }

    /// A key derived from the current master key for a purpose that may be lost with it, such as a cache's MAC.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut out = [0; 32];
        if let Some(key) = self.keys.0.first() {
            // 32 bytes are within HKDF-SHA256's bound of 8,160.
            let _ = Hkdf::<Sha256>::new(Some(b"railhead derive v1"), &key.0).expand(purpose.as_bytes(), &mut out);
        }
        out
    }

    fn wrap(&self, aad: &[u8], plain: &[u8]) -> Vec<u8> {
        let Some(key) = self.keys.0.first() else { return Vec::new() };
        let mut prefix = vec![WRAP_VERSION];
        prefix.extend_from_slice(&key.id());
        seal(&cipher(&key.0), self.random.as_ref(), &prefix, aad, plain)
    }

    fn unwrap(&self, aad: &[u8], wrapped: &[u8]) -> Result<Vec<u8>, VaultError> {
        let (version, rest) = wrapped.split_first().ok_or(VaultError::NotOpened)?;
        let (id, sealed) = rest.split_first_chunk::<8>().ok_or(VaultError::NotOpened)?;
        if *version != WRAP_VERSION {
            return Err(VaultError::NotOpened);
        }
        let key = self.keys.0.iter().find(|key| key.id() == *id);
        let key = key.ok_or_else(|| VaultError::UnknownMasterKey(hex::encode(id)))?;
        open(&cipher(&key.0), aad, sealed)
    }
}

const HOST_BINDING: &str = "railhead host";
const CHECK_BINDING: &str = "railhead check";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandom;

    fn vault(keys: &[&MasterKey]) -> Vault {
        Vault::new(MasterKeys(keys.iter().map(|key| (*key).clone()).collect()), Arc::new(SystemRandom))
    }

    #[test]
    fn master_keys_read_back_and_never_print() {
        let key = MasterKey::generate(&SystemRandom);
        let text = key.to_text();
        let read = MasterKeys::parse(&format!("# current\n{}\n\n", text.as_str())).expect("a key");
        assert_eq!(read.0[0].0, key.0);
        assert!(!format!("{read:?}").contains(&text[5..]));
        for bad in ["", "rmk1_", "rmk1_AAAA", "hello", "# only a comment"] {
            assert!(MasterKeys::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_tenant_key_opens_for_its_tenant_and_its_master_key_only() {
        let (old, new) = (MasterKey::generate(&SystemRandom), MasterKey::generate(&SystemRandom));
        let wrapped = vault(&[&old]).new_tenant_key("live/acme");
        assert!(vault(&[&old]).open_tenant("live/acme", &wrapped).is_ok());
        assert_eq!(vault(&[&old]).open_tenant("live/other", &wrapped).err(), Some(VaultError::NotOpened));
        assert!(matches!(
            vault(&[&new]).open_tenant("live/acme", &wrapped).err(),
            Some(VaultError::UnknownMasterKey(_))
        ));
        let both = vault(&[&new, &old]);
        let rewrapped = both.rewrap("live/acme", &wrapped).expect("opens").expect("changes");
        assert_eq!(both.rewrap("live/acme", &rewrapped), Ok(None));
        assert!(vault(&[&new]).open_tenant("live/acme", &rewrapped).is_ok());
    }

    #[test]
    fn the_check_value_tells_a_wrong_master_key() {
        let (mine, foreign) = (MasterKey::generate(&SystemRandom), MasterKey::generate(&SystemRandom));
        let stored = vault(&[&mine]).check_value();
        assert_eq!(vault(&[&mine]).verify_check(&stored), Ok(()));
        assert!(vault(&[&foreign]).verify_check(&stored).is_err());
    }
}
