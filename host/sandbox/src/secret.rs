//! Secrets of one session: parsed, held apart from guests, never printed.

mod encoding;
mod masker;
mod parse;

pub use encoding::{Encoding, encode};
pub(crate) use masker::always_masked;
pub use masker::{MASK, Masker};
pub use parse::{MAX_SECRET, SecretError};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
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
}

/// What a kind holds.
enum Value {
    Bytes(Zeroizing<Vec<u8>>),
    /// And what of it is a secret by itself.
    Url(Zeroizing<String>, url::Origin, Vec<Zeroizing<String>>),
    Headers(BTreeMap<String, Zeroizing<String>>),
    Ed25519(Zeroizing<Vec<u8>>, Box<Ed25519KeyPair>),
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
        let value = parse::value(kind, given)?;
        let secret = Self { field: field.to_owned(), kind, usage, origins: origins.to_vec(), value };
        if usage == CredentialUse::Place && secret.values().iter().any(|value| value.len() < masker::SHORTEST) {
            return Err(parse::too_short());
        }
        Ok(Arc::new(secret))
    }

    /// Something made from secrets, such as `user:password` in base64 or a kept token. It may go where all that it is
    /// made from may go: `origins` and `usage` are the caller's duty (see [`Secret::may_go_to`]).
    #[must_use]
    pub fn derived(field: &str, usage: CredentialUse, origins: &[String], bytes: Vec<u8>) -> Arc<Self> {
        Arc::new(Self {
            field: field.to_owned(),
            kind: CredentialKind::Text,
            usage,
            origins: origins.to_vec(),
            value: Value::Bytes(Zeroizing::new(bytes)),
        })
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

    /// The bytes as parsed: what is placed or signed with. Empty for a headers map (see [`Secret::header`]).
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.value {
            Value::Bytes(bytes) | Value::Ed25519(bytes, _) | Value::Document { whole: bytes, .. } => bytes,
            Value::Url(url, ..) => url.as_bytes(),
            Value::Headers(_) => &[],
        }
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

    /// A public attribute: `origin` (a URL's), `names` (a headers map's, one a line), `public-key` (an Ed25519 key's,
    /// 32 bytes in base64), `access-key-id`, `client-email`, `private-key-id`, `project-id` (of cloud keys).
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<String> {
        match (&self.value, name) {
            (Value::Url(_, origin, _), "origin") => Some(origin.ascii_serialization()),
            (Value::Headers(map), "names") => Some(map.keys().map(String::as_str).collect::<Vec<_>>().join("\n")),
            (Value::Document { attributes, .. }, _) => attributes.get(name).cloned(),
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
            Value::Bytes(bytes) | Value::Ed25519(bytes, _) => vec![bytes],
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.field)
    }
}
