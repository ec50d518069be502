//! Secrets of one session: parsed, held apart from guests, never printed.

pub(crate) mod answer;
mod aws;
pub(crate) mod challenge;
mod encoding;
mod finder;
mod identity;
pub(crate) mod key;
mod layers;
mod masker;
mod parse;
pub(crate) mod scram;
mod spelling;
pub(crate) mod token;
mod told;

pub use aws::AwsKeys;
pub use encoding::{Encoding, encode};
pub use identity::Identity;
pub(crate) use layers::Layers;
pub(crate) use masker::always_masked;
pub use masker::{MASK, Masker, TooManySecrets};
pub use parse::{MAX_SECRET, SecretError};
pub(crate) use told::{AllTold, Told};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use railhead_model::Timestamp;
use railhead_model::manifest::{CredentialKind, CredentialUse};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// A secret, or something made from secrets. Its bytes are zeroed when it goes.
///
/// Guests hold an index to it, never its bytes; egress fills it in where its use and its origins allow.
pub struct Secret {
    field: String,
    kind: CredentialKind,
    usage: CredentialUse,
    origins: Vec<String>,
    value: Value,
    /// Of kind `bytes`: how it was written, and its characters.
    written: Option<(&'static str, Zeroizing<Vec<u8>>)>,
    nature: Nature,
}

/// What a secret is, beside what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Nature {
    /// The operator's own, or got with something of theirs: it goes nowhere that a tenant chooses.
    pub(crate) operator: bool,
    /// How what it is composed of is encoded in it: [`Layers::PLAIN`] of what is not.
    pub(crate) layers: Layers,
}

/// What a kind holds.
enum Value {
    Bytes(Zeroizing<Vec<u8>>),
    /// And what of it is a secret by itself.
    Url(Zeroizing<String>, url::Origin, Vec<Zeroizing<String>>),
    Headers(BTreeMap<String, Zeroizing<String>>),
    Ed25519(Zeroizing<Vec<u8>>, Box<Ed25519KeyPair>),
    Identity(Box<Identity>),
    /// A private key of another algorithm; first what it was given as.
    Key {
        hidden: Vec<Zeroizing<Vec<u8>>>,
        key: Box<key::PrivateKey>,
        attributes: BTreeMap<String, String>,
    },
    Document {
        whole: Zeroizing<Vec<u8>>,
        hidden: Vec<Zeroizing<String>>,
        attributes: BTreeMap<String, String>,
    },
}

impl Secret {
    /// Reads a credential field as its kind wants it. `origins`: names that it may go to; empty: all.
    ///
    /// # Errors
    /// What is wrong with the value, for its owner; the value is not in it.
    pub fn parse(
        field: &str,
        kind: CredentialKind,
        usage: CredentialUse,
        origins: &[String],
        given: &[u8],
    ) -> Result<Arc<Self>, SecretError> {
        Self::parse_as(field, (kind, usage), origins, given, Nature::default())
    }

    /// The same, of this nature.
    pub(crate) fn parse_as(
        field: &str,
        (kind, usage): (CredentialKind, CredentialUse),
        origins: &[String],
        given: &[u8],
        nature: Nature,
    ) -> Result<Arc<Self>, SecretError> {
        let value = parse::value(kind, given)?;
        let text = std::str::from_utf8(given).ok().filter(|_| kind == CredentialKind::Bytes);
        let written = text.map(parse::written).map(|(form, text)| (form, Zeroizing::new(text.as_bytes().to_vec())));
        let secret = Self { field: field.to_owned(), kind, usage, origins: origins.to_vec(), value, written, nature };
        let is_sent = matches!(usage, CredentialUse::Place | CredentialUse::Exchange);
        if is_sent && secret.values().iter().any(|value| value.len() < masker::SHORTEST) {
            return Err(parse::too_short());
        }
        Ok(Arc::new(secret))
    }

    /// Something made from secrets, such as `user:password` in base64 or a kept token. It may go where all that it is
    /// made from may go: `origins` and `usage` are the caller's duty (see [`Secret::may_go_to`]).
    #[must_use]
    pub fn derived(field: &str, usage: CredentialUse, origins: &[String], bytes: Vec<u8>) -> Arc<Self> {
        Self::derived_as(field, usage, origins, bytes, Nature::default())
    }

    /// The same, of this nature.
    pub(crate) fn derived_as(
        field: &str,
        usage: CredentialUse,
        origins: &[String],
        bytes: Vec<u8>,
        nature: Nature,
    ) -> Arc<Self> {
        Arc::new(Self {
            field: field.to_owned(),
            kind: CredentialKind::Text,
            usage,
            origins: origins.to_vec(),
            value: Value::Bytes(Zeroizing::new(bytes)),
            written: None,
            nature,
        })
    }

    /// A URL that the host made, which is itself a secret: of use `url`, for these origins.
    ///
    /// # Errors
    /// `secret-not-url`, `secret-too-long`, `secret-too-many-parts`.
    pub(crate) fn made_url(
        field: &str,
        origins: &[String],
        url: &str,
        nature: Nature,
    ) -> Result<Arc<Self>, SecretError> {
        Self::parse_as(field, (CredentialKind::Url, CredentialUse::Url), origins, url.as_bytes(), nature)
    }

    /// True if it is the operator's, or was got with something of theirs.
    pub(crate) const fn is_operators(&self) -> bool {
        self.nature.operator
    }

    /// What is made of it shares this.
    pub(crate) const fn heritage(&self) -> Nature {
        Nature { operator: self.nature.operator, layers: Layers::PLAIN }
    }

    /// Its layers once it is written in an encoding; `None` where the masker would not find it any more.
    pub(crate) fn layers_in(&self, encoding: Encoding) -> Option<Layers> {
        self.nature.layers.then(encoding, self.bytes())
    }

    /// The manifest's name of the field.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What it holds.
    #[must_use]
    pub const fn kind(&self) -> CredentialKind {
        self.kind
    }

    /// The one way that it may be used.
    #[must_use]
    pub const fn usage(&self) -> CredentialUse {
        self.usage
    }

    /// Names of origins that it may go to; empty: all of the manifest.
    #[must_use]
    pub fn origins(&self) -> &[String] {
        &self.origins
    }

    /// True if it may be sent to the origin of this name.
    #[must_use]
    pub fn may_go_to(&self, origin: &str) -> bool {
        self.origins.is_empty() || self.origins.iter().any(|name| name == origin)
    }

    /// The bytes as parsed: what is placed or signed with. Empty for a headers map (see [`Secret::header`])
    /// and a TLS identity.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.value {
            Value::Bytes(bytes) | Value::Ed25519(bytes, _) | Value::Document { whole: bytes, .. } => bytes,
            Value::Url(url, ..) => url.as_bytes(),
            Value::Key { hidden, .. } => hidden.first().map_or(&[], |bytes| bytes),
            Value::Headers(_) | Value::Identity(_) => &[],
        }
    }

    /// The characters of kind `bytes` as both sides wrote them down; else the same as [`Secret::bytes`].
    #[must_use]
    pub fn characters(&self) -> &[u8] {
        self.written.as_ref().map_or_else(|| self.bytes(), |(_, characters)| characters)
    }

    /// The value for one header of a headers map; `name` in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let Value::Headers(map) = &self.value else { return None };
        map.get(&name.to_ascii_lowercase()).map(|value| value.as_str())
    }

    /// The key pair of an Ed25519 private key.
    #[must_use]
    pub fn ed25519(&self) -> Option<&Ed25519KeyPair> {
        match &self.value {
            Value::Ed25519(_, pair) => Some(pair),
            _ => None,
        }
    }

    /// The client certificate and private authorities of a TLS identity.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        match &self.value {
            Value::Identity(identity) => Some(identity),
            _ => None,
        }
    }

    /// Judges what time makes of it: a client certificate that expired is of no use.
    ///
    /// # Errors
    /// `secret-expired`.
    pub fn check_at(&self, now: Timestamp) -> Result<(), SecretError> {
        match self.identity().and_then(Identity::ends).filter(|ends| *ends <= now) {
            Some(ends) => Err(SecretError::new("secret-expired", format!("The client certificate expired at {ends}."))),
            None => Ok(()),
        }
    }

    /// A public attribute: `origin` (a URL's), `names` (a headers map's, one a line), `public-key` (in base64: an
    /// Ed25519 key's 32 bytes, other keys' X.509 `SubjectPublicKeyInfo` in DER), `form` (how bytes were written: `base64`, `hex`, `utf8`), `subject`,
    /// `not-after`, `spki-sha256`, `authorities` (of a TLS identity), `access-key-id`, `client-email`,
    /// `private-key-id`, `project-id` (of cloud keys).
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<String> {
        match (&self.value, name) {
            (Value::Url(_, origin, _), "origin") => Some(origin.ascii_serialization()),
            (Value::Headers(map), "names") => Some(map.keys().map(String::as_str).collect::<Vec<_>>().join("\n")),
            (Value::Document { attributes, .. } | Value::Key { attributes, .. }, _) => attributes.get(name).cloned(),
            (Value::Bytes(_), "form") => self.written.as_ref().map(|(form, _)| (*form).to_owned()),
            (Value::Identity(identity), _) => identity.attribute(name),
            (Value::Ed25519(_, pair), "public-key") => Some(encoding::base64_of(pair.public_key().as_ref())),
            _ => None,
        }
    }

    /// Every text of it that must not come back.
    fn values(&self) -> Vec<&[u8]> {
        match &self.value {
            Value::Headers(map) => map.values().map(|value| value.as_bytes()).collect(),
            Value::Url(url, _, pieces) => {
                std::iter::once(url.as_bytes()).chain(pieces.iter().map(|text| text.as_bytes())).collect()
            }
            Value::Document { whole, hidden, .. } => {
                std::iter::once(whole.as_slice()).chain(hidden.iter().map(|text| text.as_bytes())).collect()
            }
            Value::Key { hidden, .. } => hidden.iter().map(|bytes| bytes.as_slice()).collect(),
            Value::Identity(identity) => identity.hidden().collect(),
            Value::Bytes(bytes) | Value::Ed25519(bytes, _) => {
                let written = self.written.iter().map(|(_, characters)| characters.as_slice());
                std::iter::once(bytes.as_slice()).chain(written).collect()
            }
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.field)
    }
}
