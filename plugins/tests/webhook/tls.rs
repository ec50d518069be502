//! A client certificate and a private authority, against a server that wants the one and is vouched for by the other.

use crate::receiver::Receiver;
use crate::run::{Destination, event};
use railhead_model::Outcome;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::json;
use std::sync::Arc;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issued(authority: &Authority, name: &str) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    (CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, authority).unwrap(), key)
}

/// Known to nobody else; takes only clients that the same authority vouches for.
fn server(authority: &Authority) -> Receiver {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
    let (certificate, key) = issued(authority, "localhost");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    Receiver::with_tls(Arc::new(config))
}

/// Delivers one event with this identity.
async fn sent(receiver: &Receiver, identity: Option<String>) -> Outcome {
    let config = json!({ "url": receiver.url, "signatures": [] });
    let given: Vec<_> = identity.iter().map(|identity| ("tls_identity", identity.as_str())).collect();
    let (outcome, transcript) = Destination::new(config, &given).await.deliver_one(event(b"{}")).await;
    assert!(!serde_json::to_string(&transcript).unwrap().contains("PRIVATE KEY"));
    outcome
}

fn bundle(client: &Authority, server: &Authority) -> String {
    let (certificate, key) = issued(client, "railhead");
    format!("{}{}{}", certificate.pem(), key.serialize_pem(), server.pem())
}

#[tokio::test]
async fn a_client_certificate_and_a_private_authority_come_with_the_credential() {
    let own = authority("Own");
    let receiver = server(&own);
    let outcome = sent(&receiver, Some(bundle(&own, &own))).await;
    assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
    let (certificate, key) = issued(&own, "railhead");
    let parts = json!({"certificate": certificate.pem(), "private_key": key.serialize_pem(), "ca": own.pem()});
    let outcome = sent(&receiver, Some(parts.to_string())).await;
    assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn without_either_nothing_arrives() {
    let (own, other) = (authority("Own"), authority("Other"));
    let receiver = server(&own);
    let unknown_server = sent(&receiver, None).await;
    assert!(matches!(unknown_server, Outcome::Transient(..)), "{unknown_server:?}");
    let wrong_server = sent(&receiver, Some(bundle(&own, &other))).await;
    assert!(matches!(wrong_server, Outcome::Transient(..)), "{wrong_server:?}");
    // In TLS 1.3 a server refuses a client after the client's handshake is done.
    let wrong_client = sent(&receiver, Some(bundle(&other, &own))).await;
    assert!(!matches!(wrong_client, Outcome::Delivered(_)), "{wrong_client:?}");
    let no_client = sent(&receiver, Some(own.pem())).await;
    assert!(!matches!(no_client, Outcome::Delivered(_)), "{no_client:?}");
    assert!(receiver.received().is_empty());
}
