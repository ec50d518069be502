//! Certificates of every kind, and TLS servers that show them.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// A certificate authority of a test's own.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A chain and its key.
pub struct Identity {
    /// The server's own certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

impl Authority {
    /// A self-signed one.
    ///
    /// # Panics
    /// If the machine cannot make keys.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(CertifiedIssuer::self_signed(authority(name), key()).expect("a certificate"))
    }

    /// One whose own certificate this one signed, with changes.
    ///
    /// # Panics
    /// If the machine cannot make keys.
    #[must_use]
    pub fn under(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = authority(name);
        change(&mut params);
        Self(CertifiedIssuer::signed_by(params, key(), &self.0).expect("a certificate"))
    }

    /// Its certificate in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Its certificate.
    #[must_use]
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// A server's certificate for a name, with changes.
    ///
    /// # Panics
    /// If what was asked for is no certificate.
    #[must_use]
    pub fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let (mut params, key) = (CertificateParams::new([name.to_owned()]).expect("a name"), key());
        change(&mut params);
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Identity { chain: vec![certificate.der().clone()], key }
    }
}

impl Identity {
    /// One that nobody vouches for.
    ///
    /// # Panics
    /// If the machine cannot make keys.
    #[must_use]
    pub fn self_signed(name: &str) -> Self {
        let (params, key) = (CertificateParams::new([name.to_owned()]).expect("a name"), key());
        let certificate = params.self_signed(&key).expect("a certificate");
        Self { chain: vec![certificate.der().clone()], key }
    }

    /// The same, with more certificates in its chain.
    #[must_use]
    pub fn with_chain(mut self, more: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        self.chain.extend(more);
        self
    }

    /// A server that shows it, with changes to how it speaks.
    ///
    /// # Panics
    /// If the key is not the certificate's.
    #[must_use]
    pub fn server(self, change: impl FnOnce(&mut ServerConfig)) -> TlsAcceptor {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(self.chain, key)
            .expect("a certificate and its key");
        change(&mut config);
        TlsAcceptor::from(Arc::new(config))
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}
