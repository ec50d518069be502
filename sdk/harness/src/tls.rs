//! A certificate authority for peers: what they show, and what clients show to them.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::fmt;
use std::sync::Arc;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It cannot be made.
    #[error("a certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// It cannot be used.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// Clients cannot be verified.
    #[error("clients cannot be verified: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// Vouches for servers and clients of a test.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    /// A new one of this name.
    ///
    /// # Errors
    /// If the machine has no randomness.
    pub fn new(name: &str) -> Result<Self, TlsError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    /// Its own certificate.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a name or an address, and its key, both in PEM.
    ///
    /// # Errors
    /// If the name cannot stand in a certificate.
    pub fn issue(&self, name: &str) -> Result<(String, String), TlsError> {
        let (certificate, key) = self.issued(CertificateParams::new([name.to_owned()])?)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    /// What a server of this name shows; it asks clients for nothing.
    ///
    /// # Errors
    /// As [`Authority::issue`].
    pub fn server(&self, name: &str) -> Result<Arc<ServerConfig>, TlsError> {
        self.serving(CertificateParams::new([name.to_owned()])?, None)
    }

    /// The same with parameters of the test's own, such as an end in the past.
    ///
    /// # Errors
    /// As [`Authority::issue`].
    pub fn server_with(&self, params: CertificateParams) -> Result<Arc<ServerConfig>, TlsError> {
        self.serving(params, None)
    }

    /// The same; it takes only clients that `clients` vouches for.
    ///
    /// # Errors
    /// As [`Authority::issue`].
    pub fn server_for(&self, name: &str, clients: &Self) -> Result<Arc<ServerConfig>, TlsError> {
        self.serving(CertificateParams::new([name.to_owned()])?, Some(clients))
    }

    fn serving(&self, params: CertificateParams, clients: Option<&Self>) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.0.der().clone())?;
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let (certificate, key) = self.issued(params)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key)?))
    }

    fn issued(&self, params: CertificateParams) -> Result<(rcgen::Certificate, KeyPair), TlsError> {
        let key = KeyPair::generate()?;
        Ok((params.signed_by(&key, &self.0)?, key))
    }
}
