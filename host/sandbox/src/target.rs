//! A destination as the sandbox sees it: connector, configuration, opened credentials, allowed origins.

use crate::egress::AllowedOrigin;
use crate::load::Connector;
use crate::secret::scram::Memo;
use crate::secret::{Masker, Nature, Secret, Told};
use crate::tokens::Tokens;
use railhead_model::Reason;
use railhead_model::manifest::{CredentialKind, CredentialUse, Manifest, Place, Tcp};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Where a call goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// The connector that the destination uses.
    pub connector: Arc<Connector>,
    /// Number of the tenant: bounds its share of the pool.
    pub tenant: i64,
    /// The vendor's id of the tenant, as the connector sees it.
    pub tenant_id: String,
    /// Number of the destination.
    pub destination: i64,
    /// Revision of its configuration: sessions of an older one end.
    pub revision: i64,
    /// As its owner set it; fits the manifest's schema.
    pub config: serde_json::Value,
    /// Newest version of each field first.
    pub credentials: Vec<CredentialValue>,
}

/// One version of one credential field, opened.
#[derive(Clone)]
pub struct CredentialValue {
    /// The manifest's name of the field.
    pub field: String,
    /// Sessions of an older set of versions end.
    pub version: i64,
    /// What it holds.
    pub kind: CredentialKind,
    /// The one way that it may be used.
    pub usage: CredentialUse,
    /// As given by its owner.
    pub value: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for CredentialValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CredentialValue({}, version {})", self.field, self.version)
    }
}

/// What makes a session another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edition {
    connector: [u8; 32],
    pub(crate) revision: i64,
    credentials: Vec<(String, i64)>,
}

impl Edition {
    pub(crate) fn of(target: &Target) -> Self {
        let credentials = target.credentials.iter().map(|value| (value.field.clone(), value.version)).collect();
        Self { connector: target.connector.sha256, revision: target.revision, credentials }
    }

    /// The same as `*self == Edition::of(target)`, without allocating.
    pub(crate) fn is_of(&self, target: &Target) -> bool {
        let same = |(kept, given): (&(String, i64), &CredentialValue)| kept.0 == given.field && kept.1 == given.version;
        self.revision == target.revision
            && self.connector == target.connector.sha256
            && self.credentials.len() == target.credentials.len()
            && self.credentials.iter().zip(&target.credentials).all(same)
    }
}

/// What all sessions of one edition of a destination share.
pub(crate) struct Scope {
    pub(crate) destination: i64,
    pub(crate) tenant: i64,
    pub(crate) tenant_id: String,
    pub(crate) connector: Arc<Connector>,
    /// The configuration as JSON text.
    pub(crate) config: String,
    pub(crate) origins: Arc<[AllowedOrigin]>,
    /// By field, newest first.
    pub(crate) secrets: BTreeMap<String, Vec<Arc<Secret>>>,
    /// TLS identities, the version in force of each field.
    pub(crate) identities: Arc<[Arc<Secret>]>,
    /// What token endpoints gave to this edition.
    pub(crate) tokens: Arc<Tokens>,
    /// Salted passwords of its logins.
    pub(crate) salted: Memo,
    /// What token endpoints gave to the destination, to any edition.
    pub(crate) told: Arc<Told>,
    masker: Arc<Masker>,
}

impl Scope {
    /// Reads credentials and resolves origins.
    ///
    /// # Errors
    /// What the owner has to mend: `credential-invalid`, `credential-missing`, `origin-invalid`.
    pub(crate) fn of(target: &Target) -> Result<Self, Reason> {
        let manifest = &target.connector.manifest;
        let secrets = secrets(manifest, &target.credentials)?;
        let origins = origins(manifest, &target.config, &secrets)?;
        let told = target.connector.told.of(target.destination);
        Ok(Self {
            destination: target.destination,
            tenant: target.tenant,
            tenant_id: target.tenant_id.clone(),
            connector: target.connector.clone(),
            config: target.config.to_string(),
            origins: origins.into(),
            identities: secrets.values().filter_map(|versions| identity(versions.first()?)).collect(),
            tokens: Arc::default(),
            salted: Memo::default(),
            masker: Masker::with_told(secrets.values().flatten().cloned(), told.clone()),
            told,
            secrets,
        })
    }

    /// Of all that must not come back to a guest or into a record, tokens that are still to come among it.
    pub(crate) fn masker(&self) -> Arc<Masker> {
        self.masker.clone()
    }
}

fn secrets(manifest: &Manifest, values: &[CredentialValue]) -> Result<BTreeMap<String, Vec<Arc<Secret>>>, Reason> {
    let mut secrets: BTreeMap<String, Vec<Arc<Secret>>> = BTreeMap::new();
    for field in &manifest.credentials {
        let nature = Nature { operator: field.operator, ..Nature::default() };
        let mut versions = Vec::new();
        for given in values.iter().filter(|value| value.field == field.name) {
            // Kind and use are the manifest's: a value cannot widen what its field may do.
            let secret = Secret::parse_as(&field.name, (field.kind, field.usage), &field.origins, &given.value, nature)
                .map_err(|error| {
                    Reason::new("credential-invalid", format!("The credential {}: {error}", field.name))
                })?;
            versions.push(secret);
        }
        if versions.is_empty() && field.required {
            let message = format!("The credential {} is required and was not given.", field.name);
            return Err(Reason::new("credential-missing", message));
        }
        secrets.insert(field.name.clone(), versions);
    }
    Ok(secrets)
}

fn identity(secret: &Arc<Secret>) -> Option<Arc<Secret>> {
    secret.identity().map(|_| secret.clone())
}

fn origins(
    manifest: &Manifest,
    config: &serde_json::Value,
    secrets: &BTreeMap<String, Vec<Arc<Secret>>>,
) -> Result<Vec<AllowedOrigin>, Reason> {
    let mut allowed = Vec::new();
    for origin in &manifest.origins {
        if let Place::Tcp(tcp) = &origin.place {
            allowed.extend(server(&origin.name, tcp, config)?);
            continue;
        }
        let urls: Vec<String> = match &origin.place {
            Place::Literal(url) => vec![url.clone()],
            // An optional setting that is not there is no origin.
            Place::Config(pointer) => {
                config.pointer(pointer).and_then(|v| v.as_str()).map(str::to_owned).into_iter().collect()
            }
            Place::Template(template) => template.resolve(config).into_iter().collect(),
            Place::Credential(field) => {
                let versions = secrets.get(field).into_iter().flatten();
                versions.filter_map(|secret| secret.attribute("origin")).collect()
            }
            Place::Tcp(_) => Vec::new(),
        };
        for url in urls {
            let origin = AllowedOrigin::of(&origin.name, &url, origin.token_endpoint);
            allowed.push(origin.map_err(|failure| Reason::new("origin-invalid", failure.message))?);
        }
    }
    Ok(allowed)
}

/// The server that a configuration names; `None` if it names none.
fn server(name: &str, tcp: &Tcp, config: &serde_json::Value) -> Result<Option<AllowedOrigin>, Reason> {
    let wrong = |message: String| Reason::new("origin-invalid", message);
    let found = tcp.of(config).map_err(|at| wrong(format!("The configuration has nothing usable at {at}.")))?;
    let Some((host, port)) = found else { return Ok(None) };
    let origin = AllowedOrigin::server(name, host, port, tcp.discover);
    origin.map(Some).map_err(|failure| wrong(failure.message))
}
