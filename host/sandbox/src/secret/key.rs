//! Private keys that are not Ed25519, and what all of them sign with. Signatures leave the host, keys do not.

use super::encoding::base64_of;
use super::parse::SecretError;
use super::{Secret, Value};
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512,
    RsaEncoding, RsaKeyPair,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use std::collections::BTreeMap;
use zeroize::{Zeroize as _, Zeroizing};

/// Bytes of the smallest RSA modulus: 2048 bits (NIST SP 800-131A).
const MIN_MODULUS: usize = 256;

/// Names of the contract for signatures with private keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyAlgorithm {
    /// `ed25519` (RFC 8032): 64 bytes.
    Ed25519,
    /// `es256`: ECDSA over P-256 with SHA-256; `r` and `s` of 32 bytes each, as RFC 7518 (section 3.4) has them.
    Es256,
    /// `rs256`: RSASSA-PKCS1-v1_5 with SHA-256, which SSH calls `rsa-sha2-256`.
    Rs256,
    /// `rsa-sha2-512`: the same with SHA-512 (RFC 8332).
    RsaSha512,
}

impl KeyAlgorithm {
    /// Reads a name of the contract.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "ed25519" => Some(Self::Ed25519),
            "es256" => Some(Self::Es256),
            "rs256" => Some(Self::Rs256),
            "rsa-sha2-512" => Some(Self::RsaSha512),
            _ => None,
        }
    }
}

/// See the module.
pub(super) enum PrivateKey {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
}

impl Secret {
    /// A signature; none where this key cannot make one of that kind.
    pub(crate) fn signature(&self, algorithm: KeyAlgorithm, message: &[u8]) -> Option<Vec<u8>> {
        if algorithm == KeyAlgorithm::Ed25519 {
            return Some(self.ed25519()?.sign(message).as_ref().to_vec());
        }
        let Value::Key { key, .. } = &self.value else { return None };
        match (&**key, algorithm) {
            (PrivateKey::Rsa(pair), KeyAlgorithm::Rs256) => rsa(pair, &RSA_PKCS1_SHA256, message),
            (PrivateKey::Rsa(pair), KeyAlgorithm::RsaSha512) => rsa(pair, &RSA_PKCS1_SHA512, message),
            (PrivateKey::P256(pair), KeyAlgorithm::Es256) => {
                Some(pair.sign(&SystemRandom::new(), message).ok()?.as_ref().to_vec())
            }
            _ => None,
        }
    }
}

fn rsa(pair: &RsaKeyPair, encoding: &'static dyn RsaEncoding, message: &[u8]) -> Option<Vec<u8>> {
    let mut signature = vec![0; pair.public_modulus_len()];
    // PKCS #1 v1.5 takes no randomness.
    pair.sign(encoding, &SystemRandom::new(), message, &mut signature).ok()?;
    Some(signature)
}

/// Reads a private key in PEM: PKCS#8 (`PRIVATE KEY`), PKCS#1 (`RSA PRIVATE KEY`) or SEC1 (`EC PRIVATE KEY`).
pub(super) fn pem(text: &str) -> Result<Value, SecretError> {
    let wrong = |message: &str| SecretError::new("secret-not-private-key", message);
    if text.contains("ENCRYPTED") {
        return Err(wrong("The private key is encrypted. Give it without a passphrase: `openssl pkey -in key.pem`."));
    }
    let mut der = PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map_err(|_| wrong("The PEM holds no private key in PKCS#8, PKCS#1 or SEC1."))?;
    let value = value(text, &der);
    der.zeroize();
    value.ok_or_else(|| wrong("The private key is neither Ed25519, nor RSA of 2048 to 8192 bits, nor ECDSA on P-256."))
}

fn value(text: &str, der: &PrivateKeyDer<'_>) -> Option<Value> {
    let kept = Zeroizing::new(text.as_bytes().to_vec());
    if let PrivateKeyDer::Pkcs8(der) = der
        && let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der())
    {
        return Some(Value::Ed25519(kept, Box::new(pair)));
    }
    let key = match der {
        PrivateKeyDer::Pkcs8(der) => {
            let der = der.secret_pkcs8_der();
            let rsa = || RsaKeyPair::from_pkcs8(der).map(PrivateKey::Rsa);
            let p256 = || EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map(PrivateKey::P256);
            rsa().or_else(|_| p256()).ok()?
        }
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).map(PrivateKey::Rsa).ok()?,
        PrivateKeyDer::Sec1(der) => {
            let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_sec1_der());
            PrivateKey::P256(pair.ok()?)
        }
        _ => return None,
    };
    if matches!(&key, PrivateKey::Rsa(pair) if pair.public_modulus_len() < MIN_MODULUS) {
        return None;
    }
    let attributes = BTreeMap::from([("public-key".to_owned(), key.public()?)]);
    let hidden = vec![kept, Zeroizing::new(der.secret_der().to_vec())];
    Some(Value::Key { hidden, key: Box::new(key), attributes })
}

/// The same key within a document: what else of it is hidden, and what is public.
pub(super) fn within(document: Value) -> Result<Value, SecretError> {
    let Value::Document { whole, hidden: texts, mut attributes } = document else { return Ok(document) };
    let made = pem(texts.first().map_or("", |text| text.as_str()))
        .map_err(|error| SecretError::new("secret-not-document", format!("The member `private_key`: {error}")))?;
    let Value::Key { hidden: key_hidden, key, attributes: key_attributes } = made else {
        let message = "The member `private_key` is no RSA key.";
        return Err(SecretError::new("secret-not-document", message));
    };
    attributes.extend(key_attributes);
    Ok(Value::Key { hidden: std::iter::once(whole).chain(key_hidden).collect(), key, attributes })
}

impl PrivateKey {
    /// The public key as an X.509 `SubjectPublicKeyInfo` in DER, in base64: what fingerprints are made of.
    fn public(&self) -> Option<String> {
        let der: PublicKeyX509Der<'_> = match self {
            Self::Rsa(pair) => pair.public_key().as_der().ok()?,
            Self::P256(pair) => pair.public_key().as_der().ok()?,
        };
        Some(base64_of(der.as_ref()))
    }
}

#[cfg(test)]
mod tests;
