//! A destination's configuration, and the schema that is made of it.
//!
//! The host has validated it against that schema. What a schema cannot say, or what would send a wrong request if it
//! got past, is looked at again here.

mod oauth2;
mod signature;
pub mod template;

pub use oauth2::{ClientAuth, OAuth2, encoded};
pub use signature::{Custom, Encoding, SecretEncoding, Signature};

use railhead_sdk::Schema;
use railhead_sdk::http::Class;
use railhead_sdk::types::Failure;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// What the owner of a destination sets. The text at each field is what its owner reads.
#[derive(Debug, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
#[schema(title = "Webhook", description = "")]
pub struct Config {
    /// Where each event is sent to. Redirects are not followed. Leave it out where the URL itself is a secret, and set the
    /// credential `url` instead.
    #[serde(default)]
    #[schema(title = "URL", format = "uri", min_length = 10, max_length = 2048)]
    #[schema(pattern = r"^https?://[^\s/?#@]+([/?#][^\s]*)?$", examples = ["https://hooks.example.com/orders"])]
    pub url: Option<String>,
    /// The HTTP method.
    #[serde(default)]
    #[schema(title = "Method", default = "POST")]
    pub method: Method,
    /// Sent with every request. Not for secrets: those are credentials, such as the sealed map `headers`. Names that the host
    /// or this connector sets are refused; `user-agent` and `content-type` replace ours.
    #[serde(default)]
    #[schema(title = "Headers", default = {}, examples = [{ "x-environment": "live" }], raw = {
        "type": "object",
        "maxProperties": 32,
        "propertyNames": {
            "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$",
            "not": { "pattern": "^(?i:host|content-length|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|accept-encoding|proxy-.*|webhook-(?:id|timestamp|signature|batch-size)|ce-.*|traceparent)$" }
        },
        "patternProperties": { "^(?i:authorization|cookie)$": false },
        "additionalProperties": { "type": "string", "maxLength": 4096, "pattern": r"^[^\u0000-\u0008\u000a-\u001f\u007f]*$" }
    })]
    pub headers: BTreeMap<String, String>,
    /// `standard`: an object of type, timestamp and data. `raw`: the event's data exactly as it was published.
    /// `cloudevents-structured`: a CloudEvents 1.0 object. `cloudevents-binary`: the data, with the CloudEvents attributes in
    /// `ce-` headers.
    #[serde(default)]
    #[schema(title = "Body", default = "standard")]
    pub mode: Mode,
    /// What the names of the id, timestamp and signature headers begin with. `svix-` serves receivers that verify with Svix's
    /// libraries.
    #[serde(default = "default_header_prefix")]
    #[schema(title = "Header prefix", pattern = "^[A-Za-z][A-Za-z0-9-]{0,30}-$", default = "webhook-")]
    pub header_prefix: String,
    /// How requests are signed; several schemes stand side by side while receivers migrate, each in a header of its own.
    /// `standard` is Standard Webhooks 1.0: `v1` with the signing secret and `v1a` with the Ed25519 key, both where both are
    /// set. `custom` is a header of your own. While a secret rotates, each scheme has a signature for both. An empty list
    /// signs nothing.
    #[serde(default = "default_signatures")]
    #[schema(title = "Signatures", max_items = 4, default = [{ "scheme": "standard" }], examples = [[
        { "scheme": "standard" },
        {
            "scheme": "custom",
            "header": "stripe-signature",
            "content": "{timestamp}.{body}",
            "each": "v1={signature}",
            "join": ",",
            "value": "t={timestamp},{signatures}",
            "encoding": "hex",
            "secret_encoding": "utf8"
        }
    ]])]
    pub signatures: Vec<Signature>,
    /// What a status of the endpoint means, where the usual is wrong. `delivered`: done. `throttled`: slow down. `transient`:
    /// try again. `permanent`: give this event up. `misconfigured` and `rejected_credentials`: wait until somebody acts.
    #[serde(default)]
    #[schema(title = "Outcomes of statuses", max_properties = 64, default = {}, examples = [{ "404": "permanent" }])]
    #[schema(extend = { "propertyNames": { "pattern": "^[1-5][0-9][0-9]$" } })]
    pub status_outcomes: BTreeMap<String, Class>,
    /// User name of basic authentication; its password is the credential `basic_password`.
    #[serde(default)]
    #[schema(title = "User", min_length = 1, max_length = 256, pattern = r"^[^:\u0000-\u001f\u007f]+$")]
    #[schema(examples = ["railhead"])]
    pub basic_user: Option<String>,
    /// The header that carries the credential `api_key`.
    #[serde(default = "default_api_key_header")]
    #[schema(title = "API key header", pattern = "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$", default = "x-api-key", extend = {
        "not": { "pattern": "^(?i:host|content-length|content-type|user-agent|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|accept-encoding|proxy-.*|webhook-(?:id|timestamp|signature|batch-size)|ce-.*|traceparent|authorization|cookie)$" }
    })]
    pub api_key_header: String,
    /// Each request carries an access token that the host gets with the client credentials grant and keeps until shortly before
    /// it expires. The client's secret is the credential `oauth2_client_secret`.
    #[serde(default)]
    #[schema(title = "OAuth 2.0", examples = [
        { "token_url": "https://id.example.com/oauth/token", "client_id": "railhead", "scope": "events:write" }
    ])]
    pub oauth2: Option<OAuth2>,
}

/// The method of every request but a check's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Schema)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Schema)]
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
    /// Looks at what would send a wrong request.
    pub fn check(&self) -> Result<(), Failure> {
        self.headers.iter().try_for_each(|(name, value)| self.check_header(name, value))?;
        let api_key_header = &self.api_key_header;
        if self.is_ours(api_key_header) || is_refused(api_key_header) || is_described(api_key_header) {
            return Err(refused("api_key_header", api_key_header));
        }
        if self.basic_user.as_ref().is_some_and(|user| user.contains(':')) {
            let message = "basic_user: a user name of basic authentication has no colon.";
            return Err(Failure::invalid("invalid-basic-user", message));
        }
        self.check_signatures()?;
        match self.status_outcomes.keys().find(|status| !is_status(status)) {
            Some(status) => Err(Failure::invalid(
                "invalid-status",
                format!("status_outcomes: {status:?} is not an HTTP status such as 404."),
            )),
            None => Ok(()),
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
    fn check_signatures(&self) -> Result<(), Failure> {
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
                return Err(Failure::invalid("two-headers", message));
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
    pub fn check_sealed(&self, name: &str) -> Result<(), Failure> {
        if self.is_ours(name) || self.is_signature(name) || is_described(name) {
            return Err(refused("the credential headers", name));
        }
        if self.header(name).is_some() {
            let message = format!("The header {name:?} is in the field headers and in the credential headers.");
            return Err(Failure::invalid("two-headers", message));
        }
        Ok(())
    }

    fn check_header(&self, name: &str, value: &str) -> Result<(), Failure> {
        if !is_token(name) {
            return Err(invalid_name("headers", name));
        }
        if value.chars().any(|c| c.is_control() && c != '\t') {
            return Err(Failure::invalid(
                "invalid-header",
                format!("headers: the value of {name:?} has control characters."),
            ));
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

fn invalid_name(field: &str, name: &str) -> Failure {
    Failure::invalid("invalid-header", format!("{field}: {name:?} is not a name that a header can have."))
}

fn refused(field: &str, name: &str) -> Failure {
    let message = format!(
        "{field}: {name:?} is set by the host or carries a secret. Secrets are credentials: bearer_token, basic_password, \
         api_key, headers."
    );
    Failure::invalid("header-not-allowed", message)
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
