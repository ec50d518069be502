//! A destination's configuration, as `manifest.json` describes it.
//!
//! The host has validated it against that schema. What a schema cannot say, or what would send a wrong request if it
//! got past, is looked at again here.

mod oauth2;
mod signature;
pub mod template;

pub use oauth2::{ClientAuth, OAuth2, encoded};
pub use signature::{Custom, Encoding, SecretEncoding, Signature};

use crate::classify::Class;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// What the owner of a destination sets.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to; absent where the credential `url` is the whole URL.
    #[serde(default)]
    pub url: Option<String>,
    #[serde(default)]
    pub method: Method,
    /// Sent with every request, beside ours.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub mode: Mode,
    /// What the names of the id, timestamp and signature headers begin with.
    #[serde(default = "default_header_prefix")]
    pub header_prefix: String,
    /// An empty list signs nothing.
    #[serde(default = "default_signatures")]
    pub signatures: Vec<Signature>,
    /// By status, as three digits.
    #[serde(default)]
    pub status_outcomes: BTreeMap<String, Class>,
    /// The user of basic authentication; its password is a credential.
    #[serde(default)]
    pub basic_user: Option<String>,
    /// The header of the credential `api_key`.
    #[serde(default = "default_api_key_header")]
    pub api_key_header: String,
    /// Where access tokens come from; the client's secret is a credential.
    #[serde(default)]
    pub oauth2: Option<OAuth2>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    #[default]
    Post,
    Put,
    Patch,
}

impl Method {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }
}

/// What a body looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// `{"type", "timestamp", "data"}`, as Standard Webhooks recommends.
    #[default]
    Standard,
    /// The event's data alone.
    Raw,
    /// CloudEvents, the envelope in the body.
    CloudeventsStructured,
    /// CloudEvents, the envelope in `ce-` headers.
    CloudeventsBinary,
}

fn default_header_prefix() -> String {
    "webhook-".to_owned()
}

fn default_signatures() -> Vec<Signature> {
    vec![Signature::STANDARD]
}

fn default_api_key_header() -> String {
    "x-api-key".to_owned()
}

/// Why a configuration cannot be used: a stable code, and words for its owner.
#[derive(Debug, PartialEq, Eq)]
pub struct Unusable {
    pub code: &'static str,
    pub message: String,
}

/// Names that the host sets, or that carry a secret: those are credentials, which are sealed and masked.
const REFUSED_HEADERS: [&str; 12] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl Config {
    /// Reads and checks a configuration.
    pub fn parse(json: &str) -> Result<Self, Unusable> {
        let config: Self = serde_json::from_str(json)
            .map_err(|error| Unusable { code: "invalid-config", message: format!("The configuration: {error}.") })?;
        config.headers.iter().try_for_each(|(name, value)| config.check_header(name, value))?;
        let api_key_header = &config.api_key_header;
        if config.is_ours(api_key_header) || is_refused(api_key_header) || is_described(api_key_header) {
            return Err(refused("api_key_header", &config.api_key_header));
        }
        if config.basic_user.as_ref().is_some_and(|user| user.contains(':')) {
            let message = "basic_user: a user name of basic authentication has no colon.".to_owned();
            return Err(Unusable { code: "invalid-basic-user", message });
        }
        config.check_signatures()?;
        match config.status_outcomes.keys().find(|status| !is_status(status)) {
            Some(status) => Err(Unusable {
                code: "invalid-status",
                message: format!("status_outcomes: {status:?} is not an HTTP status such as 404."),
            }),
            None => Ok(config),
        }
    }

    /// What the owner wants of this status.
    pub fn status_outcome(&self, status: u16) -> Option<Class> {
        self.status_outcomes.get(&status.to_string()).copied()
    }

    /// The configured header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Each scheme has a header of its own, which nothing else sets.
    fn check_signatures(&self) -> Result<(), Unusable> {
        let mut taken: BTreeSet<String> = self.headers.keys().map(|name| name.to_ascii_lowercase()).collect();
        for signature in &self.signatures {
            let name = match signature.custom()? {
                None => format!("{}signature", self.header_prefix),
                Some(custom) => custom.header,
            };
            let name = name.to_ascii_lowercase();
            if !is_token(&name) {
                return Err(invalid_name("signatures", &name));
            }
            // Some receivers want the signature as what authenticates.
            let ours =
                self.is_ours(&name) && name.strip_suffix("signature") != Some(&self.header_prefix.to_ascii_lowercase());
            if ours || is_described(&name) || (is_refused(&name) && name != "authorization") {
                return Err(refused("signatures", &name));
            }
            if !taken.insert(name.clone()) {
                let message = format!("signatures: the header {name:?} is set twice; each scheme has one of its own.");
                return Err(Unusable { code: "two-headers", message });
            }
        }
        Ok(())
    }

    /// True if the header of this name holds a signature.
    pub fn is_signature(&self, name: &str) -> bool {
        let mut own = self.signatures.iter().filter_map(|signature| signature.header.as_ref());
        own.any(|header| header.eq_ignore_ascii_case(name))
    }

    /// Judges a name of the sealed map of headers.
    pub fn check_sealed(&self, name: &str) -> Result<(), Unusable> {
        if self.is_ours(name) || self.is_signature(name) || is_described(name) {
            return Err(refused("the credential headers", name));
        }
        if self.header(name).is_some() {
            let message = format!("The header {name:?} is in the field headers and in the credential headers.");
            return Err(Unusable { code: "two-headers", message });
        }
        Ok(())
    }

    fn check_header(&self, name: &str, value: &str) -> Result<(), Unusable> {
        if !is_token(name) {
            return Err(invalid_name("headers", name));
        }
        if value.chars().any(|c| c.is_control() && c != '\t') {
            return Err(Unusable {
                code: "invalid-header",
                message: format!("headers: the value of {name:?} has control characters."),
            });
        }
        if self.is_ours(name) || is_refused(name) {
            return Err(refused("headers", name));
        }
        Ok(())
    }

    /// Headers that say which event this is: a configured one would forge them.
    fn is_ours(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let prefix = self.header_prefix.to_ascii_lowercase();
        let says =
            |prefix: &str| matches!(name.strip_prefix(prefix), Some("id" | "timestamp" | "signature" | "batch-size"));
        // Those of Standard Webhooks under any prefix: a receiver may look at both.
        says(&prefix) || says("webhook-") || name.starts_with("ce-") || name == "traceparent"
    }
}

fn invalid_name(field: &str, name: &str) -> Unusable {
    let message = format!("{field}: {name:?} is not a name that a header can have.");
    Unusable { code: "invalid-header", message }
}

fn refused(field: &str, name: &str) -> Unusable {
    Unusable {
        code: "header-not-allowed",
        message: format!(
            "{field}: {name:?} is set by the host or carries a secret. Secrets are credentials: bearer_token, \
             basic_password, api_key, headers."
        ),
    }
}

fn is_refused(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    REFUSED_HEADERS.contains(&name.as_str()) || name.starts_with("proxy-")
}

/// Headers of ours that the field headers may replace, and nothing else: they would stand there twice.
fn is_described(name: &str) -> bool {
    ["content-type", "user-agent"].iter().any(|ours| name.eq_ignore_ascii_case(ours))
}

/// A `token` of RFC 9110.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn is_status(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit()) && matches!(text.as_bytes()[0], b'1'..=b'5')
}

#[cfg(test)]
mod tests;
