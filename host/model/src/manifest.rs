//! What a connector says of itself: data in the custom section `railhead:manifest` of its component.

mod tcp;
mod template;

pub use tcp::Tcp;
pub use template::{OriginTemplate, TemplateError};

use serde::{Deserialize, Serialize};

/// Name of the custom section.
pub const SECTION: &str = "railhead:manifest";

/// A connector's manifest. Approval binds it to the component's SHA-256.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Kebab-case, unique in a host: `webhook`.
    pub name: String,
    /// Semantic version of the connector.
    pub version: String,
    /// Version of the plugin contract: `0.1.0`.
    pub contract: String,
    /// For people.
    pub label: String,
    /// An SVG, or empty.
    #[serde(default)]
    pub icon: String,
    /// `http`, `storage`, `stream`, `queue`, `database`, `warehouse`, `analytics`.
    pub category: String,
    /// What a customer does at the destination, as plain text.
    #[serde(default)]
    pub setup: String,
    /// The least grant that it needs, in the destination's own terms.
    #[serde(default)]
    pub least_grant: String,
    /// JSON Schema (2020-12) of a destination's `config`.
    pub config_schema: serde_json::Value,
    /// Secrets that it uses.
    #[serde(default)]
    pub credentials: Vec<CredentialField>,
    /// Where it may connect to.
    pub origins: Vec<Origin>,
    /// Bounds and defaults of batches; absent: one event a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchBounds>,
    /// Most sessions of one destination at once; at least 1.
    #[serde(default = "one")]
    pub max_sessions: u32,
    /// Most events per `deliver` that it asks for; the host may hand over fewer.
    #[serde(default = "default_hand_over")]
    pub hand_over: u32,
    /// One line for lists: `{config.url}`; text with JSON Pointers in braces as `{/url}`.
    #[serde(default)]
    pub target: String,
}

const fn one() -> u32 {
    1
}

const fn default_hand_over() -> u32 {
    32
}

/// A secret that a connector uses, and the one way it may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialField {
    /// Snake case: `signing_secret`.
    pub name: String,
    /// For people.
    pub label: String,
    /// What it holds.
    pub kind: CredentialKind,
    /// The one way that the connector may use it.
    #[serde(rename = "use")]
    pub usage: CredentialUse,
    /// Names of [`Origin`]s that it may go to; empty: all of the manifest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
    /// A destination cannot be made without it.
    #[serde(default)]
    pub required: bool,
    /// The host makes one where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<Generate>,
    /// Both sides must hold it: an editor may reveal it, audited.
    #[serde(default)]
    pub shared: bool,
    /// JSON Pointers into the configuration: what decides how the value is used, such as what it signs. While one is
    /// stored, who may not write credentials may not change these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<String>,
    /// Its value is the operator's, from the host's settings: tenants use it and neither see nor set it. One of kind `aws`
    /// has the attribute `external-id`: the tenant's.
    #[serde(default, skip_serializing_if = "is_false")]
    pub operator: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref)] // serde hands a reference over
const fn is_false(value: &bool) -> bool {
    !*value
}

/// What a credential field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialKind {
    /// UTF-8 text.
    Text,
    /// Bytes, given as base64, hex or `whsec_…`.
    Bytes,
    /// An access key id, a secret, perhaps a session token.
    Aws,
    /// The key of an Azure storage account, in base64: `sign-azure` alone takes it, for a signature of anything else with
    /// it could be a shared access signature of the whole account.
    AzureKey,
    /// A Google service account's JSON key.
    GoogleServiceAccount,
    /// A private key in PEM, or an Ed25519 seed in base64.
    PrivateKey,
    /// A certificate, its key, perhaps a private CA, in PEM.
    TlsIdentity,
    /// A whole URL.
    Url,
    /// A map of header names to values.
    Headers,
}

/// The one way that a connector may use a field (`wit/README.md`, "Use, not keep").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialUse {
    /// Filled into a header, query or body place.
    Place,
    /// The whole URL.
    Url,
    /// Signs requests in egress.
    SignRequest,
    /// Makes a bounded bearer.
    Token,
    /// Answers one server challenge.
    Challenge,
    /// Written inside a frame.
    Wire,
    /// Client certificate.
    TlsIdentity,
    /// Goes to a token endpoint.
    Exchange,
}

/// What the host makes where no value is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Generate {
    /// 24 random bytes, shown as `whsec_…`.
    Whsec,
    /// An Ed25519 key pair; the public key is always readable.
    Ed25519,
}

/// A place that a connector may connect to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Referred to by credential fields.
    pub name: String,
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
    /// `send` to it is refused; `exchange` is allowed.
    #[serde(default)]
    pub token_endpoint: bool,
}

/// How a manifest names an origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// `https://api.example.com`.
    Literal(String),
    /// JSON Pointer into the destination's configuration, to a URL: its origin.
    Config(String),
    /// The origin of this credential field (kind `url`).
    Credential(String),
    /// An origin with labels from the configuration; none where a value is absent or no DNS label.
    Template(OriginTemplate),
    /// A server that streams connect to.
    Tcp(Tcp),
}

impl Place {
    /// True if no tenant chooses it: the manifest spells the domain out.
    #[must_use]
    pub const fn is_fixed(&self) -> bool {
        matches!(self, Self::Literal(_) | Self::Template(_))
    }
}

/// Bounds and defaults of batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchBounds {
    /// Most events that the destination takes at once.
    pub max_events: u32,
    /// Most bytes that the destination takes at once.
    pub max_bytes: u64,
    /// What a destination gets that sets nothing.
    pub default: crate::destination::Batch,
    /// A retry must carry the same members under the same number.
    #[serde(default)]
    pub stable: bool,
}
