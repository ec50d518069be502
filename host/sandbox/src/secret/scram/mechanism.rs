//! Hash functions of SCRAM, and what each makes of a password before it is salted.

use aws_lc_rs::{digest, hmac, pbkdf2};
use md5::{Digest as _, Md5};
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// A name of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mechanism {
    /// `sha-256` (RFC 7677), the password's bytes as they are, as Kafka and most servers have it.
    Sha256,
    /// `sha-256-saslprep`: the password prepared by RFC 4013, as PostgreSQL and MongoDB have it. One that cannot be prepared
    /// goes as it is, which is what PostgreSQL does too.
    Sha256Saslprep,
    /// `sha-512`
    Sha512,
    /// `sha-1-mongo`: SCRAM-SHA-1 (RFC 5802) over MongoDB's digest of user and password.
    Sha1Mongo,
}

impl Mechanism {
    /// Reads a name of the contract.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "sha-256" => Some(Self::Sha256),
            "sha-256-saslprep" => Some(Self::Sha256Saslprep),
            "sha-512" => Some(Self::Sha512),
            "sha-1-mongo" => Some(Self::Sha1Mongo),
            _ => None,
        }
    }

    /// What is salted.
    pub(super) fn prepared(self, user: &str, password: &[u8]) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Sha256 | Self::Sha512 => Zeroizing::new(password.to_vec()),
            Self::Sha256Saslprep => {
                let prepared = std::str::from_utf8(password).ok().and_then(|text| stringprep::saslprep(text).ok());
                // One of characters alone that are mapped to nothing has no prepared form.
                let prepared = prepared.filter(|text| !text.is_empty());
                Zeroizing::new(prepared.map_or_else(|| password.to_vec(), |text| text.into_owned().into_bytes()))
            }
            Self::Sha1Mongo => {
                let mut md5 = Md5::new();
                md5.update(user.as_bytes());
                md5.update(b":mongo:");
                md5.update(password);
                Zeroizing::new(hex::encode(Zeroizing::new(<[u8; 16]>::from(md5.finalize()))).into_bytes())
            }
        }
    }

    /// `Hi` of RFC 5802. Takes long.
    pub(super) fn salted(self, prepared: &[u8], salt: &[u8], iterations: NonZeroU32) -> Zeroizing<Vec<u8>> {
        let mut salted = Zeroizing::new(vec![0; self.digest_algorithm().output_len()]);
        pbkdf2::derive(self.pbkdf2(), iterations, salt, prepared, &mut salted);
        salted
    }

    pub(super) fn hmac(self, key: &[u8], message: &[u8]) -> Zeroizing<Vec<u8>> {
        let algorithm = match self {
            Self::Sha256 | Self::Sha256Saslprep => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
            Self::Sha1Mongo => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        };
        Zeroizing::new(hmac::sign(&hmac::Key::new(algorithm, key), message).as_ref().to_vec())
    }

    pub(super) fn digest(self, bytes: &[u8]) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(digest::digest(self.digest_algorithm(), bytes).as_ref().to_vec())
    }

    fn digest_algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 | Self::Sha256Saslprep => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
            Self::Sha1Mongo => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        }
    }

    fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha256 | Self::Sha256Saslprep => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
            Self::Sha1Mongo => pbkdf2::PBKDF2_HMAC_SHA1,
        }
    }
}
