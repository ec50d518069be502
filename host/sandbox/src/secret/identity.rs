//! A client certificate with its key, private certificate authorities, or both: read once, used by egress alone.

use super::encoding::base64_of;
use super::parse::SecretError;
use railhead_model::Timestamp;
use rustls::pki_types::pem::{PemObject as _, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::{Zeroize as _, Zeroizing};

/// What a destination's TLS connections are made with. Its key prints nowhere.
pub struct Identity {
    certified: Option<Arc<CertifiedKey>>,
    authorities: Vec<CertificateDer<'static>>,
    attributes: BTreeMap<&'static str, String>,
    ends: Option<Timestamp>,
    /// Tells two of them apart.
    fingerprint: [u8; 32],
    /// The key as it was given, and its bytes.
    hidden: Vec<Zeroizing<Vec<u8>>>,
}

impl Identity {
    /// Reads a bundle in PEM: a certificate chain and its private key, private authorities, or both.
    ///
    /// The certificate that belongs to the key is the client's. Of the others, authorities that signed themselves are
    /// trusted for servers; the rest is sent after the client's. Without a key all certificates are authorities. A JSON
    /// object of `certificate`, `private_key` and `ca` says it outright.
    ///
    /// # Errors
    /// `secret-not-identity`, `secret-key-encrypted`, `secret-key-mismatch`.
    pub(super) fn parse(text: &str) -> Result<Self, SecretError> {
        let given = Given::read(text)?;
        let certified = given.certified()?.map(Arc::new);
        let chain = certified.as_ref().map_or(&[][..], |certified| &certified.cert);
        let (chain, authorities) = (described(chain)?, described(&given.authorities)?);
        let mut attributes = BTreeMap::new();
        if let Some(client) = chain.first() {
            attributes.insert("subject", client.subject.clone());
            attributes.insert("not-after", client.ends.to_string());
            attributes.insert("spki-sha256", base64_of(&client.spki_sha256));
        }
        if !authorities.is_empty() {
            let subjects: Vec<&str> = authorities.iter().map(|one| one.subject.as_str()).collect();
            attributes.insert("authorities", subjects.join("\n"));
        }
        Ok(Self {
            ends: chain.first().map(|client| client.ends),
            certified,
            authorities: given.authorities,
            attributes,
            fingerprint: Sha256::digest(text.as_bytes()).into(),
            hidden: given.hidden,
        })
    }

    /// The client's certificates and key, where there are any.
    pub(crate) fn certified(&self) -> Option<Arc<CertifiedKey>> {
        self.certified.clone()
    }

    /// Trusted for servers instead of the machine's, where there are any.
    pub(crate) fn authorities(&self) -> &[CertificateDer<'static>] {
        &self.authorities
    }

    /// Of all that was given.
    pub(crate) const fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// When the client's certificate expires.
    #[must_use]
    pub const fn ends(&self) -> Option<Timestamp> {
        self.ends
    }

    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        self.attributes.get(name).cloned()
    }

    pub(super) fn hidden(&self) -> impl Iterator<Item = &[u8]> {
        self.hidden.iter().map(|text| text.as_slice())
    }
}

/// What stands in a bundle, apart.
#[derive(Default)]
struct Given {
    /// The client's first.
    chain: Vec<CertificateDer<'static>>,
    authorities: Vec<CertificateDer<'static>>,
    key: Option<Arc<dyn rustls::sign::SigningKey>>,
    hidden: Vec<Zeroizing<Vec<u8>>>,
}

impl Given {
    fn read(text: &str) -> Result<Self, SecretError> {
        if text.trim_start().starts_with('{') {
            return Self::of_members(text);
        }
        let mut given = Self::default();
        let mut certificates = given.sections(text)?;
        let Some(own) = given.key.as_ref().and_then(|key| key.public_key()).map(|spki| spki.to_vec()) else {
            given.authorities = certificates;
            return given.checked();
        };
        let client = certificates.iter().position(|der| described_one(der).is_ok_and(|one| one.spki == own));
        if let Some(at) = client {
            given.chain.push(certificates.remove(at));
        } else if !certificates.is_empty() {
            return Err(mismatch());
        }
        for der in certificates {
            let is_root = described_one(&der)?.is_root;
            if is_root { given.authorities.push(der) } else { given.chain.push(der) }
        }
        given.checked()
    }

    fn of_members(text: &str) -> Result<Self, SecretError> {
        let members: BTreeMap<String, Zeroizing<String>> = serde_json::from_str::<BTreeMap<String, String>>(text)
            .map_err(|_| wrong("The value is not a JSON object of texts."))?
            .into_iter()
            .map(|(name, value)| (name, Zeroizing::new(value)))
            .collect();
        let mut given = Self::default();
        for (name, pem) in &members {
            match name.as_str() {
                "certificate" => given.chain = given.sections(pem)?,
                "private_key" => drop(given.sections(pem)?),
                "ca" => given.authorities = given.sections(pem)?,
                _ => return Err(wrong("The members are `certificate`, `private_key` and `ca`.")),
            }
        }
        given.checked()
    }

    /// Certificates of a text; its key is kept.
    fn sections(&mut self, text: &str) -> Result<Vec<CertificateDer<'static>>, SecretError> {
        if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || text.contains("Proc-Type: 4,ENCRYPTED") {
            let message = "The private key is encrypted. Give it without a passphrase: it is sealed here.";
            return Err(SecretError::new("secret-key-encrypted", message));
        }
        let mut certificates = Vec::new();
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text.as_bytes()) {
            let (kind, der) = section.map_err(|_| wrong("The value holds PEM that cannot be read."))?;
            let key = match kind {
                SectionKind::Certificate => {
                    certificates.push(CertificateDer::from(der));
                    continue;
                }
                SectionKind::PrivateKey => PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der)),
                SectionKind::RsaPrivateKey => PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(der)),
                SectionKind::EcPrivateKey => PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(der)),
                _ => continue,
            };
            self.keep(key)?;
        }
        self.hidden.extend(key_blocks(text).map(|block| Zeroizing::new(block.as_bytes().to_vec())));
        Ok(certificates)
    }

    fn keep(&mut self, mut key: PrivateKeyDer<'static>) -> Result<(), SecretError> {
        self.hidden.push(Zeroizing::new(key.secret_der().to_vec()));
        let read = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key);
        key.zeroize();
        let read = read.map_err(|_| wrong("The private key cannot be read, or is of a kind that TLS does not use."))?;
        if self.key.replace(read).is_some() {
            return Err(wrong("There is more than one private key."));
        }
        Ok(())
    }

    fn checked(self) -> Result<Self, SecretError> {
        match (&self.key, self.chain.is_empty(), self.authorities.is_empty()) {
            (None, true, true) => Err(wrong("There is no certificate in PEM, and no private key.")),
            (Some(_), true, _) => Err(wrong("There is a private key, but no certificate that belongs to it.")),
            (None, false, _) => Err(wrong("There is a client certificate, but not its private key.")),
            (None, true, false) if !described(&self.authorities)?.iter().all(|one| one.is_authority) => {
                Err(wrong("One of the certificates is no authority, and there is no private key to it."))
            }
            _ => Ok(self),
        }
    }

    fn certified(&self) -> Result<Option<CertifiedKey>, SecretError> {
        let Some(key) = &self.key else { return Ok(None) };
        let certified = CertifiedKey::new(self.chain.clone(), key.clone());
        certified.keys_match().map_err(|_| mismatch())?;
        Ok(Some(certified))
    }
}

/// What a certificate says.
struct Described {
    subject: String,
    ends: Timestamp,
    spki: Vec<u8>,
    spki_sha256: [u8; 32],
    /// May sign others, or signed itself: then it vouches for itself at least.
    is_authority: bool,
    /// An authority that signed itself.
    is_root: bool,
}

fn described(certificates: &[CertificateDer<'static>]) -> Result<Vec<Described>, SecretError> {
    certificates.iter().map(described_one).collect()
}

fn described_one(der: &CertificateDer<'static>) -> Result<Described, SecretError> {
    let (_, read) = X509Certificate::from_der(der).map_err(|_| wrong("One of the certificates cannot be read."))?;
    let itself = read.subject().as_raw() == read.issuer().as_raw();
    let spki = read.public_key().raw;
    Ok(Described {
        subject: read.subject().to_string(),
        ends: Timestamp(read.validity().not_after.timestamp().saturating_mul(1_000)),
        spki: spki.to_vec(),
        spki_sha256: Sha256::digest(spki).into(),
        is_authority: read.is_ca() || itself,
        is_root: read.is_ca() && itself,
    })
}

/// Each private key of a text, from its first line to its last.
fn key_blocks(text: &str) -> impl Iterator<Item = &str> {
    let ends = text.match_indices("PRIVATE KEY-----").map(|(at, found)| (at, at + found.len()));
    ends.filter_map(|(at, end)| {
        let is_end = text.get(..at)?.rfind("-----END ")? > text.get(..at)?.rfind("-----BEGIN ")?;
        let begin = text.get(..at)?.rfind("-----BEGIN ")?;
        is_end.then(|| text.get(begin..end)).flatten()
    })
}

fn wrong(message: &str) -> SecretError {
    SecretError::new("secret-not-identity", message)
}

fn mismatch() -> SecretError {
    SecretError::new("secret-key-mismatch", "The certificate and the private key do not belong together.")
}

#[cfg(test)]
mod tests;
