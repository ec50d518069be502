//! Client certificates and private authorities, against servers that ask for them.

use crate::support::{context, secret};
use railhead_model::manifest::{CredentialKind, CredentialUse};
use railhead_sandbox::egress::{Egress, EgressPolicy, Failure, FailureKind, Outgoing, SendContext};
use railhead_sandbox::secret::Secret;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A private authority that issues certificates.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate and its key, in PEM.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// A server that asks for a certificate of `clients`, and notes whose it got.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Option<Vec<u8>>>>>,
}

impl Server {
    async fn start(own: &Authority, clients: Option<&Authority>) -> Self {
        let (certificate, key) = own.issue("localhost");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = match clients {
            Some(authority) => {
                let mut roots = rustls::RootCertStore::empty();
                roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
            None => builder.with_no_client_auth(),
        };
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let config = builder.with_single_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
        let seen: Arc<Mutex<Vec<Option<Vec<u8>>>>> = Arc::default();
        let note = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, note) = (acceptor.clone(), note.clone());
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let client = stream.get_ref().1.peer_certificates().map(|chain| chain[0].to_vec());
                    note.lock().unwrap().push(client);
                    while stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
                    }
                });
            }
        });
        Self { url, seen }
    }

    fn connections(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

fn egress() -> Egress {
    Egress::new(EgressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], ..EgressPolicy::default() }, None).unwrap()
}

fn identity(pem: &str) -> Arc<Secret> {
    secret("tls", CredentialKind::TlsIdentity, CredentialUse::TlsIdentity, pem)
}

fn with(url: &str, identities: &[Arc<Secret>]) -> SendContext {
    SendContext { identities: identities.into(), ..context(&[url], identities) }
}

async fn get(egress: &Egress, destination: i64, url: &str, identities: &[Arc<Secret>]) -> Result<u16, Failure> {
    let sent = egress.send(destination, Outgoing::new("GET", url), &with(url, identities)).await;
    sent.result.map(|answer| answer.status)
}

fn der(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

#[tokio::test]
async fn a_client_certificate_and_a_private_authority_in_one_bundle() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let server = Server::start(&servers, Some(&clients)).await;
    let (certificate, key) = clients.issue("acme");
    let whole = identity(&format!("{certificate}{key}{}", servers.pem));
    assert_eq!(get(&egress(), 1, &server.url, &[whole]).await, Ok(200));
    assert_eq!(server.seen.lock().unwrap()[0].as_deref(), Some(&*der(&certificate)));

    let members = serde_json::json!({"certificate": certificate, "private_key": key, "ca": servers.pem}).to_string();
    assert_eq!(get(&egress(), 1, &server.url, &[identity(&members)]).await, Ok(200));
}

#[tokio::test]
async fn an_authority_alone_is_trusted_instead_of_all_others() {
    let (servers, others) = (Authority::new("servers"), Authority::new("others"));
    let server = Server::start(&servers, None).await;
    assert_eq!(get(&egress(), 1, &server.url, &[identity(&servers.pem)]).await, Ok(200));
    let failure = get(&egress(), 1, &server.url, &[identity(&others.pem)]).await.unwrap_err();
    assert_eq!((failure.kind, failure.code), (FailureKind::Tls, "tls-certificate"), "{failure}");
    // Not even the operator's own roots count beside it.
    let policy = EgressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], ..EgressPolicy::default() };
    let trusting = Egress::new(policy, Some(servers.pem.as_bytes())).unwrap();
    assert_eq!(get(&trusting, 1, &server.url, &[]).await, Ok(200));
    let failure = get(&trusting, 1, &server.url, &[identity(&others.pem)]).await.unwrap_err();
    assert_eq!(failure.code, "tls-certificate");
}

#[tokio::test]
async fn a_server_that_refuses_the_certificate_is_told_apart() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let server = Server::start(&servers, Some(&clients)).await;
    let (certificate, key) = servers.issue("somebody else");
    for given in [servers.pem.clone(), format!("{certificate}{key}{}", servers.pem)] {
        let failure = get(&egress(), 1, &server.url, &[identity(&given)]).await.unwrap_err();
        assert_eq!((failure.kind, failure.code), (FailureKind::Credential, "tls-client-certificate"), "{failure}");
    }
}

#[tokio::test]
async fn identities_are_no_other_destinations_and_a_rotation_makes_new_connections() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let server = Server::start(&servers, Some(&clients)).await;
    let make = |name: &str| {
        let (certificate, key) = clients.issue(name);
        (identity(&format!("{certificate}{key}{}", servers.pem)), der(&certificate))
    };
    let ((old, old_der), (new, new_der)) = (make("old"), make("new"));
    let egress = egress();
    for _ in 0..2 {
        assert_eq!(get(&egress, 1, &server.url, std::slice::from_ref(&old)).await, Ok(200));
    }
    assert_eq!(server.connections(), 1, "a connection serves the next request of its destination");
    // Another destination without one gets neither certificate nor root nor connection.
    assert_eq!(get(&egress, 2, &server.url, &[]).await.unwrap_err().code, "tls-certificate");
    let authority = identity(&servers.pem);
    assert_eq!(get(&egress, 3, &server.url, &[authority]).await.unwrap_err().code, "tls-client-certificate");
    assert_eq!(get(&egress, 1, &server.url, &[new]).await, Ok(200));
    let seen = server.seen.lock().unwrap().clone();
    assert_eq!(seen, [Some(old_der), Some(new_der)]);
}

#[tokio::test]
async fn an_identity_serves_the_origins_of_its_field() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let server = Server::start(&servers, Some(&clients)).await;
    let (certificate, key) = clients.issue("acme");
    let pem = format!("{certificate}{key}{}", servers.pem);
    let of = |origin: &str| {
        let names = [origin.to_owned()];
        Secret::parse("tls", CredentialKind::TlsIdentity, CredentialUse::TlsIdentity, &names, pem.as_bytes()).unwrap()
    };
    assert_eq!(get(&egress(), 1, &server.url, &[of("a")]).await, Ok(200));
    assert_eq!(get(&egress(), 1, &server.url, &[of("b")]).await.unwrap_err().code, "tls-certificate");
    assert_eq!(get(&egress(), 1, &server.url, &[of("b"), of("a")]).await, Ok(200));
}

#[tokio::test]
async fn an_expired_certificate_is_told_before_anything_is_sent() {
    let authority = Authority::new("clients");
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["acme".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let certificate = params.signed_by(&key, &authority.issuer).unwrap().pem();
    let expired = identity(&format!("{certificate}{}", key.serialize_pem()));
    let url = "https://localhost:9/";
    let failure = get(&egress(), 1, url, std::slice::from_ref(&expired)).await.unwrap_err();
    assert_eq!((failure.kind, failure.code), (FailureKind::Credential, "identity-expired"));
    assert!(failure.message.contains("2020-01-01") && failure.before_sending(), "{failure}");
}
