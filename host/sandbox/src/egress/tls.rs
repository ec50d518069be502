//! TLS of all connections: set up once, shared by all destinations.

use super::EgressError;
use super::failure::{Failure, FailureKind};
use crate::secret::Identity;
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use std::sync::Arc;

/// A configuration with the machine's roots (those of Mozilla where it has none) and the operator's own.
pub(super) fn config(extra_roots: Option<&[u8]>) -> Result<ClientConfig, EgressError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let extra = extra_roots.map(certificates).transpose()?.unwrap_or_default();
    let tls = |error: rustls::Error| EgressError::Tls(error.to_string());
    let machine_has_roots = Verifier::new(provider.clone()).is_ok();
    let bundled = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter(|_| !machine_has_roots).cloned();
    let verifier = Verifier::new_with_extra_roots(extra.into_iter().chain(bundled), provider.clone()).map_err(tls)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(tls)?
        .dangerous() // rustls' word for any verifier that is not its own default
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// A destination's own: its client certificate, and its private authorities instead of all other roots.
///
/// # Errors
/// `identity-unusable`.
pub(super) fn with_identity(tls: &mut ClientConfig, identity: &Identity) -> Result<(), Failure> {
    if let Some(certified) = identity.certified() {
        tls.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(certified));
    }
    if identity.authorities().is_empty() {
        return Ok(());
    }
    let wrong = |error: &dyn std::fmt::Display| {
        let message = format!("The private certificate authorities cannot be used: {error}.");
        Failure::new(FailureKind::Credential, "identity-unusable", message)
    };
    let mut roots = RootCertStore::empty();
    for authority in identity.authorities() {
        roots.add(authority.clone()).map_err(|error| wrong(&error))?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), tls.crypto_provider().clone());
    tls.dangerous().set_certificate_verifier(verifier.build().map_err(|error| wrong(&error))?);
    Ok(())
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, EgressError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read = read.map_err(|error| EgressError::Roots(error.to_string()))?;
    if read.is_empty() {
        return Err(EgressError::Roots("there is no certificate in them".to_owned()));
    }
    Ok(read)
}
