//! The channel binding `tls-server-end-point` (RFC 5929, section 4).

use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha224, Sha256, Sha384, Sha512};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::signature_algorithm::SignatureAlgorithm;

/// The hash of a server's certificate with the hash of its signature; SHA-256 where that is MD5 or SHA-1. `None` where the
/// signature has no hash of its own, such as Ed25519: RFC 5929 defines none for it.
pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_, read) = X509Certificate::from_der(certificate).ok()?;
    let hash = match SignatureAlgorithm::try_from(&read.signature_algorithm).ok()? {
        SignatureAlgorithm::RSASSA_PSS(params) => params.hash_algorithm_oid().to_id_string(),
        _ => read.signature_algorithm.algorithm.to_id_string(),
    };
    digest(&hash, certificate)
}

/// By the identifier of a signature algorithm, or of the hash of RSASSA-PSS (RFC 3279, 4055, 5758).
fn digest(algorithm: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    match algorithm {
        // RSA with MD5, SHA-1, SHA-256; ECDSA with SHA-1, SHA-256; SHA-1, SHA-256.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2"
        | "1.3.14.3.2.26"
        | "2.16.840.1.101.3.4.2.1" => Some(Sha256::digest(bytes).to_vec()),
        // RSA, ECDSA with SHA-224; SHA-224.
        "1.2.840.113549.1.1.14" | "1.2.840.10045.4.3.1" | "2.16.840.1.101.3.4.2.4" => {
            Some(Sha224::digest(bytes).to_vec())
        }
        // The same with SHA-384.
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" | "2.16.840.1.101.3.4.2.2" => {
            Some(Sha384::digest(bytes).to_vec())
        }
        // The same with SHA-512.
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" | "2.16.840.1.101.3.4.2.3" => {
            Some(Sha512::digest(bytes).to_vec())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_hashes_count_as_sha_256() {
        for weak in ["1.2.840.113549.1.1.4", "1.2.840.113549.1.1.5", "1.2.840.10045.4.1", "1.3.14.3.2.26"] {
            assert_eq!(digest(weak, b"x"), Some(Sha256::digest(b"x").to_vec()), "{weak}");
        }
        assert_eq!(digest("1.2.840.113549.1.1.13", b"x"), Some(Sha512::digest(b"x").to_vec()));
        assert_eq!(digest("1.2.840.113549.1.1.14", b"x"), Some(Sha224::digest(b"x").to_vec()));
        assert_eq!(digest("1.3.101.112", b"x"), None, "Ed25519");
        assert_eq!(of(&CertificateDer::from(vec![1, 2, 3])), None);
    }
}
