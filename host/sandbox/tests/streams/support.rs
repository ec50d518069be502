//! Servers that do as the test wants, certificates of every kind, and what a session brings.

use railhead_model::manifest::{CredentialKind, CredentialUse};
use railhead_model::{Clock, Timestamp};
use railhead_sandbox::egress::{AllowedOrigin, Egress, EgressPolicy, Part, Purpose, Security, SendContext, Stream};
use railhead_sandbox::secret::{Encoding, Masker, Secret};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Long enough for a busy machine; what waits for it fails.
pub const LONG: Duration = Duration::from_secs(60);

/// A TCP server on loopback.
pub struct Server {
    pub port: u16,
    accepted: watch::Receiver<usize>,
}

impl Server {
    /// Does this with each connection.
    pub async fn start<F>(serve: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (accepts, accepted) = watch::channel(0);
        let server = Self { port: listener.local_addr().unwrap().port(), accepted };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepts.send_modify(|accepted| *accepted += 1);
                tokio::spawn(serve(stream));
            }
        });
        server
    }

    /// Sends back what comes.
    pub async fn echo() -> Self {
        Self::start(|stream| async move { echo(stream).await }).await
    }

    /// The same over TLS from the first byte.
    pub async fn tls_echo(authority: &Authority) -> Self {
        let acceptor = authority.acceptor(&["localhost"]);
        Self::start(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    echo(stream).await;
                }
            }
        })
        .await
    }

    /// How many connections there were so far.
    pub fn accepts(&self) -> usize {
        *self.accepted.borrow()
    }

    /// Ends once there were so many: one may stand before it is accepted.
    pub async fn has_accepted(&self, connections: usize) {
        let mut accepted = self.accepted.clone();
        let enough = accepted.wait_for(|accepted| *accepted >= connections);
        let enough = tokio::time::timeout(LONG, enough).await.expect("so many connections");
        assert_eq!(*enough.unwrap(), connections);
    }
}

pub async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = stream.read(&mut bytes).await {
        if stream.write_all(&bytes[..read]).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

/// A certificate authority.
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    pub fn pem(&self) -> String {
        self.pem.clone()
    }

    /// A certificate in PEM and its key.
    pub fn signed(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// Serves TLS under these names.
    pub fn acceptor(&self, names: &[&str]) -> tokio_rustls::TlsAcceptor {
        acceptor(self.signed(names, |_| {}), None)
    }

    /// A client's certificate and key.
    pub fn client(&self) -> String {
        let (certificate, key) = self.signed(&[], |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        });
        format!("{certificate}{key}")
    }
}

/// Serves TLS with this certificate; asks clients for one of this authority.
pub fn acceptor((chain, key): (String, String), clients: Option<&Authority>) -> tokio_rustls::TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect();
    let config = builder.with_single_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap();
    tokio_rustls::TlsAcceptor::from(Arc::new(config))
}

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(1_614_265_330_000)
    }

    fn monotonic_ms(&self) -> u64 {
        0
    }
}

/// Loopback allowed.
pub fn open_policy() -> EgressPolicy {
    EgressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], ..EgressPolicy::default() }
}

/// Loopback allowed, and these roots.
pub fn egress(authority: Option<&Authority>) -> Egress {
    Egress::new(open_policy(), authority.map(Authority::pem).as_ref().map(|pem| pem.as_bytes())).unwrap()
}

/// A session whose origin `server` is this host and port.
pub fn context(host: &str, port: u16, secrets: &[Arc<Secret>]) -> SendContext {
    SendContext {
        origins: vec![AllowedOrigin::server("server", host, port, false).unwrap()].into(),
        masker: Masker::new(secrets.iter().cloned()),
        identities: Arc::new([]),
        left: LONG,
        clock: Arc::new(Still),
        events: Vec::new().into(),
        slow: false,
        purpose: Purpose::Send,
    }
}

/// A connection to a server on `localhost`.
pub async fn connected(
    egress: &Egress,
    server: &Server,
    security: Security,
    secrets: &[Arc<Secret>],
) -> Result<Stream, railhead_sandbox::egress::Failure> {
    egress.connect("localhost", server.port, security, &context("localhost", server.port, secrets)).await
}

pub fn password(value: &str) -> Arc<Secret> {
    bound("password", value, &[])
}

/// A secret for these origins.
pub fn bound(field: &str, value: &str, origins: &[&str]) -> Arc<Secret> {
    let origins: Vec<String> = origins.iter().map(ToString::to_string).collect();
    Secret::parse(field, CredentialKind::Text, CredentialUse::Wire, &origins, value.as_bytes()).unwrap()
}

pub fn text(text: &str) -> Part {
    Part::Bytes(bytes::Bytes::copy_from_slice(text.as_bytes()))
}

pub fn raw(secret: &Arc<Secret>) -> Part {
    Part::Secret(secret.clone(), Encoding::Raw)
}

/// Reads until so many bytes are there.
pub async fn read_exact(stream: &mut Stream, bytes: usize) -> String {
    let mut read = Vec::new();
    while read.len() < bytes {
        let more = stream.read(bytes - read.len(), LONG).await.unwrap();
        assert!(!more.is_empty(), "closed after {:?}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&more);
    }
    String::from_utf8_lossy(&read).into_owned()
}
