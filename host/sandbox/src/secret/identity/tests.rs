//! What is a TLS identity and what is none, told to its owner.

use crate::secret::{MASK, Masker, Secret, SecretError};
use railhead_model::Timestamp;
use railhead_model::manifest::{CredentialKind, CredentialUse};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use std::sync::Arc;

fn parse(given: &str) -> Result<Arc<Secret>, SecretError> {
    Secret::parse("tls", CredentialKind::TlsIdentity, CredentialUse::TlsIdentity, &[], given.as_bytes())
}

fn wrong(given: &str) -> (&'static str, String) {
    let error = parse(given).unwrap_err();
    (error.code, error.message)
}

/// A certificate and its key, in PEM.
fn made(name: &str, authority: bool) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_after = rcgen::date_time_ymd(2040, 1, 1);
    if authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[test]
fn a_bundle_is_read_in_any_order_and_shows_what_is_public() {
    let ((client, key), (authority, _)) = (made("acme client", false), made("acme servers", true));
    for bundle in [
        format!("{client}{key}{authority}"),
        format!("{authority}{key}{client}"),
        format!("{key}\n{authority}\n{client}"),
    ] {
        let secret = parse(&bundle).unwrap();
        let identity = secret.identity().unwrap();
        assert_eq!(identity.certified().unwrap().cert.len(), 1);
        assert_eq!(identity.authorities().len(), 1);
        assert!(secret.attribute("subject").unwrap().contains("acme client"));
        assert_eq!(secret.attribute("not-after").as_deref(), Some("2040-01-01T00:00:00.000Z"));
        assert_eq!(secret.attribute("spki-sha256").unwrap().len(), 44);
        assert!(secret.attribute("authorities").unwrap().contains("acme servers"));
        assert!(secret.bytes().is_empty() && secret.attribute("private-key").is_none());
        assert!(secret.check_at(Timestamp::parse("2039-12-31T23:59:59Z").unwrap()).is_ok());
        let expired = secret.check_at(Timestamp::parse("2040-01-01T00:00:00Z").unwrap()).unwrap_err();
        assert_eq!(expired.code, "secret-expired");
    }
    let only = parse(&authority).unwrap();
    assert!(only.identity().unwrap().certified().is_none() && only.attribute("not-after").is_none());
    assert!(only.check_at(Timestamp(i64::MAX)).is_ok());
}

#[test]
fn what_is_wrong_is_said() {
    let ((client, key), (other, other_key)) = (made("one", false), made("two", false));
    let (authority, _) = made("authority", true);
    let none = "secret-not-identity";
    for (given, code, words) in [
        ("no PEM".to_owned(), none, "no certificate"),
        (key.clone(), none, "no certificate that belongs to it"),
        (format!("{client}{other_key}"), "secret-key-mismatch", "do not belong together"),
        (format!("{client}{key}{other_key}"), none, "more than one private key"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(), none, "cannot be read"),
        ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n".to_owned(), none, "cannot be read"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned(), none, "cannot be read"),
        (
            format!("{client}-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"),
            "secret-key-encrypted",
            "without a passphrase",
        ),
        (r#"{"certificate": 1}"#.to_owned(), none, "JSON"),
        (r#"{"cert": "a"}"#.to_owned(), none, "`private_key`"),
        (
            serde_json::json!({"certificate": client, "private_key": other_key}).to_string(),
            "secret-key-mismatch",
            "not",
        ),
        (serde_json::json!({"certificate": client}).to_string(), none, "not its private key"),
    ] {
        let (got, message) = wrong(&given);
        assert_eq!(got, code, "{message}");
        assert!(message.contains(words), "{message}");
    }
    // A certificate that vouches for itself may be trusted, one that somebody else issued may not.
    assert!(parse(&other).is_ok() && parse(&authority).is_ok());
}

#[test]
fn the_key_is_masked_as_text_and_as_bytes() {
    use base64::Engine as _;
    let (client, key) = made("acme", false);
    for given in [format!("{client}{key}"), serde_json::json!({"certificate": client, "private_key": key}).to_string()]
    {
        let secret = parse(&given).unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(tls)");
        let masker = Masker::new([secret]);
        let shown = masker.text(&format!("[{}] {client}", key.trim_end())).into_owned();
        assert_eq!(shown, format!("[{MASK}] {client}"), "its certificate is public");
        let inside: String = key.lines().filter(|line| !line.starts_with("-----")).collect();
        assert_eq!(masker.text(&inside), MASK);
        let der = base64::engine::general_purpose::STANDARD.decode(&inside).unwrap();
        assert_eq!(masker.text(&hex::encode(der)), MASK);
        let escaped = serde_json::to_string(key.trim_end()).unwrap();
        assert_eq!(masker.text(&escaped), format!("\"{MASK}\""));
    }
}
