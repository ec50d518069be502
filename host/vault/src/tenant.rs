//! A tenant's keys: what is sealed for it, and the keyed hashes that stand in clear.

use crate::{VaultError, cipher, open, seal};
use aes_gcm::Aes256Gcm;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use railhead_model::{DeliveryKey, DestinationNo, EventUid, Random};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

/// A lane's hash.
pub type Lane = [u8; 16];

/// Day keys that are kept ready.
const DAYS_KEPT: usize = 16;

/// Everything that a tenant's data key can do. Cheap to share behind an `Arc`; does not print.
///
/// Sealed values name no key: the day is that of the event's uid (or 0 for configuration).
pub struct TenantKeys {
    derive: Hkdf<Sha256>,
    hashes: Hmac<Sha256>,
    days: Mutex<BTreeMap<i32, Arc<Aes256Gcm>>>,
    random: Arc<dyn Random>,
}

impl fmt::Debug for TenantKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TenantKeys")
    }
}

impl TenantKeys {
    pub(crate) fn new(key: &[u8; 32], random: Arc<dyn Random>) -> Self {
        let derive = Hkdf::<Sha256>::new(Some(b"railhead tenant v1"), key);
        let hash_key = expand(&derive, b"hashes");
        // HMAC takes keys of any length.
        let hashes = <Hmac<Sha256>>::new(&(*block(&hash_key)).into());
        Self { derive, hashes, days: Mutex::new(BTreeMap::new()), random }
    }

    /// Seals an event's head.
    #[must_use]
    pub fn seal_head(&self, event: EventUid, plain: &[u8]) -> Vec<u8> {
        self.seal_for(event.at().day(), &aad(b"head", &[event.0.as_bytes()]), plain)
    }

    /// Opens an event's head.
    ///
    /// # Errors
    /// [`VaultError::NotOpened`].
    pub fn open_head(&self, event: EventUid, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.open_for(event.at().day(), &aad(b"head", &[event.0.as_bytes()]), sealed)
    }

    /// Seals an event's payload.
    #[must_use]
    pub fn seal_payload(&self, event: EventUid, plain: &[u8]) -> Vec<u8> {
        self.seal_for(event.at().day(), &aad(b"payload", &[event.0.as_bytes()]), plain)
    }

    /// Opens an event's payload.
    ///
    /// # Errors
    /// [`VaultError::NotOpened`].
    pub fn open_payload(&self, event: EventUid, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.open_for(event.at().day(), &aad(b"payload", &[event.0.as_bytes()]), sealed)
    }

    /// Seals the transcript of attempt `n`.
    #[must_use]
    pub fn seal_transcript(&self, key: DeliveryKey, n: u32, plain: &[u8]) -> Vec<u8> {
        self.seal_for(key.event.at().day(), &transcript_aad(key, n), plain)
    }

    /// Opens the transcript of attempt `n`.
    ///
    /// # Errors
    /// [`VaultError::NotOpened`].
    pub fn open_transcript(&self, key: DeliveryKey, n: u32, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.open_for(key.event.at().day(), &transcript_aad(key, n), sealed)
    }

    /// Seals a credential's value: bound to destination, field and version.
    #[must_use]
    pub fn seal_credential(&self, destination: DestinationNo, field: &str, version: u32, plain: &[u8]) -> Vec<u8> {
        self.seal_for(0, &credential_aad(destination, field, version), plain)
    }

    /// Opens a credential's value.
    ///
    /// # Errors
    /// [`VaultError::NotOpened`].
    pub fn open_credential(
        &self,
        destination: DestinationNo,
        field: &str,
        version: u32,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        self.open_for(0, &credential_aad(destination, field, version), sealed).map(Zeroizing::new)
    }

    /// Seals something else, bound to a label and an identity.
    #[must_use]
    pub fn seal_other(&self, label: &str, identity: &[u8], plain: &[u8]) -> Vec<u8> {
        self.seal_for(0, &aad(label.as_bytes(), &[identity]), plain)
    }

    /// Opens what [`TenantKeys::seal_other`] sealed under the same label and identity.
    ///
    /// # Errors
    /// [`VaultError::NotOpened`].
    pub fn open_other(&self, label: &str, identity: &[u8], sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.open_for(0, &aad(label.as_bytes(), &[identity]), sealed)
    }

    /// Keyed 128-bit hash of (source, vendor id): finds duplicates without the id in clear.
    #[must_use]
    pub fn idh(&self, source: &str, id: &str) -> [u8; 16] {
        self.hash(&[b"idh", source.as_bytes(), id.as_bytes()])
    }

    /// Keyed 128-bit hash of an event's content: tells a duplicate from a conflict.
    #[must_use]
    pub fn digest(&self, pieces: &[&[u8]]) -> [u8; 16] {
        let mut all = vec![b"digest".as_slice()];
        all.extend_from_slice(pieces);
        self.hash(&all)
    }

    /// Keyed 128-bit hash of a lane's value at a destination.
    #[must_use]
    pub fn lane(&self, destination: DestinationNo, value: &[u8]) -> Lane {
        self.hash(&[b"lane", &destination.0.to_be_bytes(), value])
    }

    /// What the tenant's owner writes into the trust policies of roles that this host assumes for it. Public, random, and
    /// as old as the tenant: a change of the master key leaves it, a tenant that is made again has another one.
    #[must_use]
    pub fn external_id(&self) -> String {
        let derived = expand(&self.derive, b"external id");
        let short: String = derived.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        format!("railhead-{short}")
    }

    fn hash(&self, pieces: &[&[u8]]) -> [u8; 16] {
        let mut mac = self.hashes.clone();
        for piece in pieces {
            mac.update(&(piece.len() as u64).to_be_bytes());
            mac.update(piece);
        }
        let full: [u8; 32] = mac.finalize().into_bytes().into();
        let mut short = [0; 16];
        short.copy_from_slice(&full[..16]);
        short
    }

    fn seal_for(&self, day: i32, aad: &[u8], plain: &[u8]) -> Vec<u8> {
        seal(&self.day(day), self.random.as_ref(), &[], aad, plain)
    }

    fn open_for(&self, day: i32, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        open(&self.day(day), aad, sealed)
    }

    fn day(&self, day: i32) -> Arc<Aes256Gcm> {
        let mut days = self.days.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cipher) = days.get(&day) {
            return Arc::clone(cipher);
        }
        let mut info = b"seal day ".to_vec();
        info.extend_from_slice(&day.to_be_bytes());
        let made = Arc::new(cipher(&expand(&self.derive, &info)));
        if days.len() >= DAYS_KEPT {
            days.pop_first();
        }
        days.insert(day, Arc::clone(&made));
        made
    }
}

fn expand(derive: &Hkdf<Sha256>, info: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    // 32 bytes are within HKDF-SHA256's bound of 8,160.
    let _ = derive.expand(info, out.as_mut_slice());
    out
}

/// HMAC-SHA256's key block: the key, then zeros (RFC 2104).
fn block(key: &[u8; 32]) -> Zeroizing<[u8; 64]> {
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    block
}

/// Length-prefixed, so that no two lists of pieces run together the same.
fn aad(purpose: &[u8], pieces: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    for piece in std::iter::once(&purpose).chain(pieces) {
        out.extend_from_slice(&(piece.len() as u32).to_be_bytes());
        out.extend_from_slice(piece);
    }
    out
}

fn transcript_aad(key: DeliveryKey, n: u32) -> Vec<u8> {
    let (destination, run, n) = (key.destination.0.to_be_bytes(), key.run.to_be_bytes(), n.to_be_bytes());
    aad(b"transcript", &[key.event.0.as_bytes(), &destination, &run, &n])
}

fn credential_aad(destination: DestinationNo, field: &str, version: u32) -> Vec<u8> {
    aad(b"credential", &[&destination.0.to_be_bytes(), field.as_bytes(), &version.to_be_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MasterKey, MasterKeys, SystemRandom, Vault};
    use railhead_model::Timestamp;

    fn keys() -> TenantKeys {
        let vault = Vault::new(MasterKeys::one(MasterKey::generate(&SystemRandom)), Arc::new(SystemRandom));
        vault.open_tenant("t", &vault.new_tenant_key("t")).expect("its own")
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let keys = keys();
        let event = EventUid::new(Timestamp(1_700_000_000_000), [1; 10]);
        let other = EventUid::new(Timestamp(1_700_000_000_000), [2; 10]);
        let sealed = keys.seal_payload(event, b"hello");
        assert_eq!(keys.open_payload(event, &sealed).as_deref(), Ok(b"hello".as_slice()));
        assert!(keys.open_payload(other, &sealed).is_err());
        assert!(keys.open_head(event, &sealed).is_err());
        let mut changed = sealed.clone();
        changed[14] ^= 1;
        assert!(keys.open_payload(event, &changed).is_err());
        assert!(keys.open_payload(event, &sealed[..20]).is_err());
        let credential = keys.seal_credential(DestinationNo(1), "token", 1, b"s3cret");
        assert!(keys.open_credential(DestinationNo(2), "token", 1, &credential).is_err());
        assert!(keys.open_credential(DestinationNo(1), "token", 2, &credential).is_err());
        assert_eq!(keys.open_credential(DestinationNo(1), "token", 1, &credential).as_deref(), Ok(&b"s3cret".to_vec()));
    }

    #[test]
    fn another_tenants_keys_open_nothing_and_hash_otherwise() {
        let (mine, foreign) = (keys(), keys());
        let event = EventUid::new(Timestamp(1_700_000_000_000), [1; 10]);
        assert!(foreign.open_payload(event, &mine.seal_payload(event, b"hello")).is_err());
        assert_ne!(mine.idh("/", "1"), foreign.idh("/", "1"));
        assert_ne!(mine.idh("ab", "c"), mine.idh("a", "bc"));
        assert_eq!(mine.idh("/", "1"), mine.idh("/", "1"));
    }

    #[test]
    fn external_ids_are_a_tenants_own_and_outlive_the_master_key() {
        let (old, new) = (MasterKey::generate(&SystemRandom), MasterKey::generate(&SystemRandom));
        let both = format!("{}\n{}", new.to_text().as_str(), old.to_text().as_str());
        let vault = Vault::new(MasterKeys::one(old), Arc::new(SystemRandom));
        let wrapped = vault.new_tenant_key("1/acme");
        let id = |vault: &Vault, wrapped: &[u8]| vault.open_tenant("1/acme", wrapped).expect("opens").external_id();
        let mine = id(&vault, &wrapped);
        assert!(mine.len() == 41 && mine.starts_with("railhead-"), "{mine}");
        assert_eq!(id(&vault, &wrapped), mine, "after a restart");
        assert_ne!(id(&vault, &vault.new_tenant_key("1/acme")), mine, "made again");
        let rotated = Vault::new(MasterKeys::parse(&both).expect("two keys"), Arc::new(SystemRandom));
        let rewrapped = rotated.rewrap("1/acme", &wrapped).expect("opens").expect("changes");
        assert_eq!(id(&rotated, &rewrapped), mine, "under another master key");
    }

    #[test]
    fn day_keys_beyond_those_kept_ready_are_made_again() {
        let keys = keys();
        let sealed: Vec<_> = (0..40_i64)
            .map(|day| EventUid::new(Timestamp(day * railhead_model::time::DAY_MS), [1; 10]))
            .map(|event| (event, keys.seal_head(event, b"x")))
            .collect();
        for (event, sealed) in sealed {
            assert_eq!(keys.open_head(event, &sealed).as_deref(), Ok(b"x".as_slice()));
        }
    }
}
