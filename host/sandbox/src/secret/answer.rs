//! Answers to challenges of database servers that are not SCRAM: a digest of a password and the server's nonce.
//!
//! Each is good for that nonce alone. The password's digest stands under a pad that only the server's stored digest takes off
//! (MySQL), inside another digest (PostgreSQL), or is a key that signed (MariaDB): nothing that answers a second nonce can
//! be made of the answer to the first.

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use ed25519_dalek::VerifyingKey;
use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
use md5::{Digest as _, Md5};
use sha2::Sha512;
use zeroize::Zeroizing;

/// A name of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// `mysql-native`: `SHA1(password) XOR SHA1(nonce + SHA1(SHA1(password)))`. MySQL, "Native Authentication".
    MysqlNative,
    /// `mysql-caching-sha2`: `SHA256(password) XOR SHA256(SHA256(SHA256(password)) + nonce)`. MySQL, "Caching SHA-2
    /// Pluggable Authentication", the fast path.
    MysqlCachingSha2,
    /// `mariadb-ed25519`: Ed25519 whose secret key is the SHA-512 of the password. MariaDB, "Authentication Plugin - ed25519".
    MariadbEd25519,
    /// `postgres-md5`: `md5` and `hex(MD5(hex(MD5(password + user)) + salt))`. PostgreSQL, "Protocol Flow",
    /// AuthenticationMD5Password.
    PostgresMd5,
}

impl Scheme {
    /// Reads a name of the contract.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "mysql-native" => Some(Self::MysqlNative),
            "mysql-caching-sha2" => Some(Self::MysqlCachingSha2),
            "mariadb-ed25519" => Some(Self::MariadbEd25519),
            "postgres-md5" => Some(Self::PostgresMd5),
            _ => None,
        }
    }

    /// Bytes of its server's nonce, without the NUL that MySQL sends behind it. No other length is answered: a longer one
    /// could hold another protocol's words.
    pub(crate) const fn nonce_length(self) -> usize {
        match self {
            Self::MysqlNative | Self::MysqlCachingSha2 => 20,
            Self::MariadbEd25519 => 32,
            Self::PostgresMd5 => 4,
        }
    }

    /// The answer for a nonce of the right length.
    pub(crate) fn answer(self, user: &str, password: &[u8], nonce: &[u8]) -> Vec<u8> {
        match self {
            Self::MysqlNative => {
                let once = hashed(&SHA1_FOR_LEGACY_USE_ONLY, &[password]);
                let twice = hashed(&SHA1_FOR_LEGACY_USE_ONLY, &[&once]);
                xored(hashed(&SHA1_FOR_LEGACY_USE_ONLY, &[nonce, &twice]), &once)
            }
            Self::MysqlCachingSha2 => {
                let once = hashed(&SHA256, &[password]);
                let twice = hashed(&SHA256, &[&once]);
                xored(hashed(&SHA256, &[&twice, nonce]), &once)
            }
            Self::MariadbEd25519 => ed25519(password, nonce),
            Self::PostgresMd5 => {
                let stored = md5(&[password, user.as_bytes()]);
                [b"md5".as_slice(), &md5(&[&stored, nonce])].concat()
            }
        }
    }
}

fn hashed(algorithm: &'static digest::Algorithm, pieces: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let mut context = digest::Context::new(algorithm);
    pieces.iter().for_each(|piece| context.update(piece));
    Zeroizing::new(context.finish().as_ref().to_vec())
}

fn xored(pad: Zeroizing<Vec<u8>>, key: &[u8]) -> Vec<u8> {
    pad.iter().zip(key).map(|(pad, key)| pad ^ key).collect()
}

/// RFC 8032 (section 5.1.6), but that the hash of the password stands for that of a seed.
fn ed25519(password: &[u8], nonce: &[u8]) -> Vec<u8> {
    let hash = Zeroizing::new(<[u8; 64]>::from(Sha512::digest(password)));
    let key = ExpandedSecretKey::from_bytes(&hash);
    raw_sign::<Sha512>(&key, nonce, &VerifyingKey::from(&key)).to_bytes().to_vec()
}

/// In lower-case hex.
fn md5(pieces: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let mut context = Md5::new();
    pieces.iter().for_each(|piece| context.update(piece));
    Zeroizing::new(hex::encode(Zeroizing::new(<[u8; 16]>::from(context.finalize()))).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;

    /// As go-sql-driver publishes them for the password `secret`.
    #[test]
    fn mysql_is_answered_as_its_drivers_do() {
        let nonce = [70, 114, 92, 94, 1, 38, 11, 116, 63, 114, 23, 101, 126, 103, 26, 95, 81, 17, 24, 21];
        let native = [53, 177, 140, 159, 251, 189, 127, 53, 109, 252, 172, 50, 211, 192, 240, 164, 26, 48, 207, 45];
        assert_eq!(Scheme::MysqlNative.answer("", b"secret", &nonce), native);
        let nonce = [10, 47, 74, 111, 75, 73, 34, 48, 88, 76, 114, 74, 37, 13, 3, 80, 82, 2, 23, 21];
        for (password, answer) in [
            ("secret", "f490e76f66d9d86665ce54d98c78d0acfe2fb0b08b423da807144873d30b312c"),
            ("secret2", "abc3934a012cf342e876071c8ee202de51785b430258a7a0138bc79c4d800bc6"),
        ] {
            let made = Scheme::MysqlCachingSha2.answer("", password.as_bytes(), &nonce);
            assert_eq!(hex::encode(made), answer, "{password}");
        }
    }

    /// The public key is what MariaDB's own documentation gives for `ed25519_password('secret')`.
    #[test]
    fn mariadb_is_answered_with_a_signature_that_its_stored_key_verifies() {
        let stored = STANDARD_NO_PAD.decode("ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY").unwrap();
        let answer = Scheme::MariadbEd25519.answer("", b"secret", &[9; 32]);
        let stored = UnparsedPublicKey::new(&ED25519, stored);
        assert!(stored.verify(&[9; 32], &answer).is_ok());
        assert!(stored.verify(&[8; 32], &answer).is_err());
        assert!(stored.verify(&[9; 32], &Scheme::MariadbEd25519.answer("", b"secret2", &[9; 32])).is_err());
    }

    /// The inner digest is the one that PostgreSQL stores: `SELECT 'md5' || md5('secret' || 'alice')`.
    #[test]
    fn postgres_is_answered_with_md5_of_what_it_stores_and_the_salt() {
        assert_eq!(&**md5(&[b"secret", b"alice"]), hex::encode(Md5::digest(b"secretalice")).as_bytes());
        let answer = Scheme::PostgresMd5.answer("alice", b"secret", &[1, 2, 3, 4]);
        assert_eq!(String::from_utf8(answer).unwrap(), "md598a0412b9c31436fc53776e863350083");
    }
}
