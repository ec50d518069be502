//! What a token holds, and what is refused.

use super::*;
use crate::secret::Secret;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use railhead_model::manifest::{CredentialKind, CredentialUse};
use serde_json::{Value, json};
use std::sync::Arc;

const NOW: i64 = 1_700_000_000;
const RSA: &str = include_str!("../key/rfc7515-rsa.pkcs8.pem");
const P256: &str = include_str!("../key/rfc7515-p256.pkcs8.pem");
/// RFC 8037, appendix A.1.
const ED25519_SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

fn key(kind: CredentialKind, value: &str) -> Arc<Secret> {
    Secret::parse("key", kind, CredentialUse::Token, &[], value.as_bytes()).unwrap()
}

fn private(value: &str) -> Arc<Secret> {
    key(CredentialKind::PrivateKey, value)
}

fn made(key: &Secret, header: &str, claims: &str) -> Result<Token, Refused> {
    jwt(key, "ed25519", header, claims, NOW)
}

fn parts(token: &Token) -> (Value, Value) {
    let mut parts = token.text.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
    let mut next = || serde_json::from_slice(&parts.next().unwrap()).unwrap();
    (next(), next())
}

#[test]
fn each_algorithm_signs_what_its_public_key_verifies() {
    let account = json!({"client_email": "a@b", "private_key": RSA, "private_key_id": "k1"}).to_string();
    for (key, algorithm, alg) in [
        (private(RSA), "rs256", "RS256"),
        (key(CredentialKind::GoogleServiceAccount, &account), "rs256", "RS256"),
        (private(P256), "es256", "ES256"),
        (private(ED25519_SEED), "ed25519", "EdDSA"),
    ] {
        let token = jwt(&key, algorithm, "{}", r#"{"iss": "a"}"#, NOW).unwrap();
        assert_eq!(
            parts(&token),
            (json!({"alg": alg, "typ": "JWT"}), json!({"exp": NOW + 3600, "iat": NOW, "iss": "a"}))
        );
        let (signed, signature) = token.text.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let public = STANDARD.decode(key.attribute("public-key").unwrap()).unwrap();
        let verified = match algorithm {
            "rs256" => {
                UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public).verify(signed.as_bytes(), &signature)
            }
            "es256" => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public).verify(signed.as_bytes(), &signature),
            _ => UnparsedPublicKey::new(&ED25519, public).verify(signed.as_bytes(), &signature),
        };
        assert!(verified.is_ok(), "{algorithm}");
        assert_eq!(token.life_s, MAX_LIFE_S);
    }
}

#[test]
fn the_host_says_when_a_token_was_made_and_bounds_its_life() {
    let key = private(ED25519_SEED);
    let token =
        made(&key, r#"{"kid": "k1", "typ": "at+jwt", "alg": "EdDSA"}"#, r#"{"iat": 1, "exp": 1700000060}"#).unwrap();
    assert_eq!(parts(&token).0, json!({"alg": "EdDSA", "kid": "k1", "typ": "at+jwt"}));
    assert_eq!((parts(&token).1, token.life_s), (json!({"exp": NOW + 60, "iat": NOW}), 60));
    for exp in ["1700000000", "1699999999", "1700003601", "0", "-1", "1e99", "\"1700000060\"", "1700000060.5", "null"] {
        let refused = made(&key, "{}", &format!(r#"{{"exp": {exp}}}"#)).unwrap_err();
        assert_eq!(refused.code, "token-life", "{exp}");
    }
    assert!(made(&key, "{}", r#"{"exp": 1700003600}"#).is_ok());
}

#[test]
fn what_is_no_token_is_refused() {
    let key = private(ED25519_SEED);
    for header in
        ["", "[]", "1", r#"{"alg": "none"}"#, r#"{"alg": "RS256"}"#, r#"{"crit": ["exp"]}"#, r#"{"b64": false}"#]
    {
        assert_eq!(made(&key, header, "{}").unwrap_err().code, "token-header", "{header}");
    }
    let long = format!(r#"{{"a": "{}"}}"#, "a".repeat(MAX_TEXT));
    for claims in ["", "[]", "null", "{", &long] {
        assert_eq!(made(&key, "{}", claims).unwrap_err().code, "token-claims", "{claims:.20}");
    }
    for algorithm in ["", "none", "hs256", "EdDSA", "rsa-sha2-512", "hmac-sha256"] {
        assert_eq!(jwt(&key, algorithm, "{}", "{}", NOW).unwrap_err().code, "algorithm-unknown", "{algorithm}");
    }
    let text = self::key(CredentialKind::Text, "a password");
    for (key, algorithm) in [(&text, "ed25519"), (&text, "rs256"), (&key, "rs256"), (&key, "es256")] {
        assert_eq!(jwt(key, algorithm, "{}", "{}", NOW).unwrap_err().code, "key-unsuitable", "{algorithm}");
    }
}

/// The signature was made by Microsoft's recipe in Python (`hmac`, `hashlib`, `urllib.parse.quote`).
#[test]
fn a_shared_access_signature_is_made_as_microsoft_says() {
    let resource = "https://ns.servicebus.windows.net/orders queue";
    let expected = "SharedAccessSignature sr=https%3A%2F%2Fns.servicebus.windows.net%2Forders%20queue&\
                    sig=0VkV6EgGlZYrH8zWS8Ex2lACBj9qYBqYZimnDBi1ThU%3D&se=1700000600&skn=Root%2FManage";
    let value = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    for kind in [CredentialKind::Text, CredentialKind::Bytes] {
        let token = azure_sas(&key(kind, value), resource, "Root/Manage", 600, NOW).unwrap();
        assert_eq!((token.text.as_str(), token.life_s), (expected, 600), "the key is its characters");
    }
    let key = key(CredentialKind::Text, value);
    for life in [0, 3_601, u32::MAX] {
        assert_eq!(azure_sas(&key, resource, "a", life, NOW).unwrap_err().code, "token-life");
    }
    for (resource, name) in [("", "a"), ("a", ""), ("a\nb", "a"), ("a", "a\0"), (&"a".repeat(MAX_TEXT + 1), "a")] {
        assert_eq!(azure_sas(&key, resource, name, 60, NOW).unwrap_err().code, "resource-invalid");
    }
    assert_eq!(azure_sas(&private(ED25519_SEED), resource, "a", 60, NOW).unwrap_err().code, "key-unsuitable");
}
