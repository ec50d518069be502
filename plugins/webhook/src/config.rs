//! A destination's configuration, as `manifest.json` describes it.
//!
//! The host has validated it against that schema. What a schema cannot say, or what would send a wrong request if it
//! got past, is looked at again here.

use crate::classify::Class;
use serde::Deserialize;
use std::collections::BTreeMap;

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

/// One way in which requests are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    pub scheme: Scheme,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// Standard Webhooks 1.0.
    Standard,
}

fn default_header_prefix() -> String {
    "webhook-".to_owned()
}

fn default_signatures() -> Vec<Signature> {
    vec![Signature { scheme: Scheme::Standard }]
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
        if config.is_ours(&config.api_key_header) || is_refused(&config.api_key_header) {
            return Err(refused("api_key_header", &config.api_key_header));
        }
        if config.basic_user.as_ref().is_some_and(|user| user.contains(':')) {
            let message = "basic_user: a user name of basic authentication has no colon.".to_owned();
            return Err(Unusable { code: "invalid-basic-user", message });
        }
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

    fn check_header(&self, name: &str, value: &str) -> Result<(), Unusable> {
        if !is_token(name) {
            return Err(Unusable {
                code: "invalid-header",
                message: format!("headers: {name:?} is not a name that a header can have."),
            });
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
        let rest = name.strip_prefix(&self.header_prefix.to_ascii_lowercase());
        matches!(rest, Some("id" | "timestamp" | "signature")) || name.starts_with("ce-") || name == "traceparent"
    }
}

fn refused(field: &str, name: &str) -> Unusable {
    Unusable {
        code: "header-not-allowed",
        message: format!(
            "{field}: {name:?} is set by the host or carries a secret. Secrets are credentials: bearer_token, \
             basic_password, api_key."
        ),
    }
}

fn is_refused(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    REFUSED_HEADERS.contains(&name.as_str()) || name.starts_with("proxy-")
}

/// A `token` of RFC 9110.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn is_status(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit()) && matches!(text.as_bytes()[0], b'1'..=b'5')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(json: &str) -> &'static str {
        Config::parse(json).expect_err(json).code
    }

    #[test]
    fn an_empty_configuration_has_the_documented_defaults() {
        let config = Config::parse("{}").unwrap();
        assert_eq!(config.method.as_str(), "POST");
        assert_eq!(config.mode, Mode::Standard);
        assert_eq!(config.header_prefix, "webhook-");
        assert_eq!(config.signatures, [Signature { scheme: Scheme::Standard }]);
        assert_eq!(config.api_key_header, "x-api-key");
    }

    #[test]
    fn the_example_is_one() {
        let example: serde_json::Value = serde_json::from_str(include_str!("../example.json")).unwrap();
        let config = Config::parse(&example["config"].to_string()).unwrap();
        assert!(config.url.is_some());
    }

    #[test]
    fn what_comes_later_or_is_unknown_is_refused() {
        assert_eq!(code(r#"{"signatures": [{"scheme": "custom"}]}"#), "invalid-config");
        assert_eq!(code(r#"{"signatures": [{"scheme": "standard", "header": "x"}]}"#), "invalid-config");
        assert_eq!(code(r#"{"uri": "https://example.com"}"#), "invalid-config");
        assert_eq!(code(r#"{"method": "GET"}"#), "invalid-config");
    }

    #[test]
    fn headers_cannot_forge_what_we_say_nor_carry_secrets_in_the_open() {
        for name in ["Webhook-Id", "webhook-signature", "CE-Type", "Host", "Content-Length", "Authorization", "proxy-x"]
        {
            assert_eq!(code(&format!(r#"{{"headers": {{"{name}": "x"}}}}"#)), "header-not-allowed", "{name}");
        }
        assert_eq!(code(r#"{"header_prefix": "svix-", "headers": {"Svix-Id": "x"}}"#), "header-not-allowed");
        assert_eq!(code(r#"{"api_key_header": "webhook-id"}"#), "header-not-allowed");
        assert_eq!(code(r#"{"headers": {"a b": "x"}}"#), "invalid-header");
        assert_eq!(code(r#"{"headers": {"a": "x\r\nb: y"}}"#), "invalid-header");
        assert!(Config::parse(r#"{"header_prefix": "svix-", "headers": {"webhook-id": "mine"}}"#).is_ok());
    }

    #[test]
    fn statuses_are_three_digits_with_a_class() {
        let config = Config::parse(r#"{"status_outcomes": {"404": "permanent"}}"#).unwrap();
        assert_eq!(config.status_outcome(404), Some(Class::Permanent));
        assert_eq!(config.status_outcome(405), None);
        assert_eq!(code(r#"{"status_outcomes": {"4xx": "permanent"}}"#), "invalid-status");
        assert_eq!(code(r#"{"status_outcomes": {"404": "whatever"}}"#), "invalid-config");
    }

    #[test]
    fn the_manifest_offers_what_is_read_here() {
        let manifest: serde_json::Value = serde_json::from_str(include_str!("../manifest.json")).unwrap();
        let fields = manifest["config_schema"]["properties"].as_object().unwrap();
        for (field, rules) in fields {
            let value = rules.get("default").or_else(|| rules["examples"].get(0)).unwrap_or_else(|| panic!("{field}"));
            let config = serde_json::json!({ field.as_str(): value });
            Config::parse(&config.to_string()).unwrap_or_else(|error| panic!("{field}: {error:?}"));
        }
        assert_eq!(manifest["version"], env!("CARGO_PKG_VERSION"));
    }
}
