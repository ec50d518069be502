//! Certificates of every kind, in PEM, as a server's own files hold them.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// Vouches for servers.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What a server shows.
pub struct Shown {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names, with changes.
    pub fn issue(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Shown {
        let (mut params, key) = (params(names), KeyPair::generate().unwrap());
        change(&mut params);
        Shown { certificate: params.signed_by(&key, &self.0).unwrap().pem(), key: key.serialize_pem() }
    }
}

/// One that nobody vouches for.
pub fn self_signed(names: &[&str]) -> Shown {
    let key = KeyPair::generate().unwrap();
    Shown { certificate: params(names).self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

/// Its time is over.
pub fn expired(params: &mut CertificateParams) {
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
}

fn params(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
}
