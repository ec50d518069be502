//! Keys in every form, and published signatures.

use super::*;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use railhead_model::manifest::{CredentialKind, CredentialUse};
use std::sync::Arc;

/// The keys of RFC 7515, appendices A.2 and A.3, in PEM.
const RSA: [&str; 2] = [include_str!("rfc7515-rsa.pkcs1.pem"), include_str!("rfc7515-rsa.pkcs8.pem")];
const P256: [&str; 2] = [include_str!("rfc7515-p256.sec1.pem"), include_str!("rfc7515-p256.pkcs8.pem")];

const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn parse(kind: CredentialKind, value: &str) -> Result<Arc<Secret>, SecretError> {
    Secret::parse("key", kind, CredentialUse::Challenge, &[], value.as_bytes())
}

fn key(pem: &str) -> Arc<Secret> {
    parse(CredentialKind::PrivateKey, pem).unwrap()
}

/// RFC 7515, A.2.1: this signature has no randomness.
#[test]
fn rs256_is_that_of_rfc_7515() {
    let expected = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdb\
                    F9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383\
                    LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWy\
                    wlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let signed = format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}");
    for key in RSA.map(key) {
        let made = key.signature(KeyAlgorithm::Rs256, signed.as_bytes()).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.encode(made), expected);
        let made = key.signature(KeyAlgorithm::RsaSha512, signed.as_bytes()).unwrap();
        let public = STANDARD.decode(key.attribute("public-key").unwrap()).unwrap();
        let verified = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA512, public).verify(signed.as_bytes(), &made);
        assert!(verified.is_ok());
    }
}

/// RFC 7515, A.3: a signature of its key is verified, as is the one published there.
#[test]
fn es256_is_verified_with_the_key_of_rfc_7515() {
    let signed = format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}");
    let published = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    for key in P256.map(key) {
        let public = STANDARD.decode(key.attribute("public-key").unwrap()).unwrap();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public);
        let made = key.signature(KeyAlgorithm::Es256, signed.as_bytes()).unwrap();
        assert_eq!(made.len(), 64);
        for signature in [made, URL_SAFE_NO_PAD.decode(published).unwrap()] {
            assert!(public.verify(signed.as_bytes(), &signature).is_ok());
        }
    }
}

/// RFC 8037, A.4: neither has this one.
#[test]
fn ed25519_is_that_of_rfc_8037() {
    let seed = key("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    let made =
        seed.signature(KeyAlgorithm::Ed25519, b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc").unwrap();
    let expected = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(URL_SAFE_NO_PAD.encode(made), expected);
}

#[test]
fn a_key_signs_with_its_own_algorithm_alone() {
    use KeyAlgorithm::{Ed25519, Es256, Rs256, RsaSha512};
    let ed25519 = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
    for (pem, own) in [(RSA[0], &[Rs256, RsaSha512][..]), (P256[0], &[Es256]), (ed25519, &[Ed25519])] {
        let key = key(pem);
        for algorithm in [Ed25519, Es256, Rs256, RsaSha512] {
            assert_eq!(key.signature(algorithm, b"message").is_some(), own.contains(&algorithm), "{algorithm:?}");
        }
    }
}

#[test]
fn keys_that_cannot_be_used_are_told_to_their_owner() {
    for (pem, hint) in [
        (include_str!("encrypted.pem"), "without a passphrase"),
        (include_str!("p384.pem"), "nor ECDSA on P-256"),
        (include_str!("rsa1024.pem"), "2048"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no private key"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "neither"),
        ("-----BEGIN PRIVATE KEY-----", "no private key"),
    ] {
        let error = parse(CredentialKind::PrivateKey, pem).unwrap_err();
        assert_eq!(error.code, "secret-not-private-key");
        assert!(error.message.contains(hint), "{hint}: {error}");
    }
    let account = |key: &str| serde_json::json!({"client_email": "a@b", "private_key": key}).to_string();
    for (key, hint) in [("-----BEGIN", "no private key"), ("", "no private key"), (include_str!("p384.pem"), "neither")]
    {
        let error = parse(CredentialKind::GoogleServiceAccount, &account(key)).unwrap_err();
        assert_eq!(error.code, "secret-not-document");
        assert!(error.message.contains(hint) && error.message.contains("`private_key`"), "{hint}: {error}");
    }
    let account = parse(CredentialKind::GoogleServiceAccount, &account(RSA[1])).unwrap();
    assert_eq!(account.attribute("client-email").as_deref(), Some("a@b"));
    assert!(account.signature(KeyAlgorithm::Rs256, b"message").is_some());
}

#[test]
fn neither_the_pem_nor_the_key_in_it_comes_back() {
    let masker = crate::secret::Masker::new([key(RSA[0])]);
    let der: String = RSA[0].lines().filter(|line| !line.starts_with('-')).collect();
    for echo in [RSA[0].to_owned(), der] {
        assert_eq!(masker.text(&format!("<{echo}>")), format!("<{}>", crate::secret::MASK));
    }
}
