//! How requests are signed: the schemes of a configuration.

use super::template::{self, Piece, Word};
use railhead_sdk::Schema;
use railhead_sdk::types::Failure;
use serde::Deserialize;

/// One way in which requests are signed. Several stand side by side while receivers migrate.
///
/// The fields after `scheme` are those of a custom scheme; what it leaves out is Stripe's shape.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
#[schema(description = "", extend = {
    "if": { "properties": { "scheme": { "const": "custom" } }, "required": ["scheme"] },
    "then": { "required": ["header"] },
    "else": { "maxProperties": 1 }
})]
pub struct Signature {
    /// `standard`, or `custom` with the fields below.
    pub scheme: Scheme,
    /// The header's name.
    #[serde(default)]
    #[schema(pattern = "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$", examples = ["stripe-signature"], extend = {
        "not": { "pattern": "^(?i:host|content-length|content-type|user-agent|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|accept-encoding|proxy-.*|webhook-(?:id|timestamp|batch-size)|ce-.*|traceparent|cookie)$" }
    })]
    pub header: Option<String>,
    /// What is signed: text, `{timestamp}` (seconds, as in webhook-timestamp), `{id}` (as in webhook-id) and, once, `{body}`.
    #[serde(default)]
    #[schema(max_length = 1024, default = "{timestamp}.{body}")]
    #[schema(pattern = r"^(?:[^{}]|\{timestamp\}|\{id\})*\{body\}(?:[^{}]|\{timestamp\}|\{id\})*$")]
    content: Option<String>,
    /// One signature: text and, at its end, `{signature}`.
    #[serde(default)]
    #[schema(max_length = 256, default = "v1={signature}")]
    #[schema(pattern = r"^[^{}\u0000-\u0008\u000a-\u001f\u007f]*\{signature\}$")]
    each: Option<String>,
    /// What stands between two signatures, while a secret rotates.
    #[serde(default)]
    #[schema(max_length = 16, default = ",", pattern = r"^[^\u0000-\u0008\u000a-\u001f\u007f]*$")]
    join: Option<String>,
    /// The header's value: text, `{timestamp}`, `{id}` and, at its end, `{signatures}`.
    #[serde(default)]
    #[schema(max_length = 1024, default = "t={timestamp},{signatures}")]
    #[schema(pattern = r"^(?:[^{}\u0000-\u0008\u000a-\u001f\u007f]|\{timestamp\}|\{id\})*\{signatures\}$")]
    value: Option<String>,
    /// How each signature is written.
    #[serde(default)]
    #[schema(default = "hex")]
    encoding: Option<Encoding>,
    /// What the receiver makes of the signing secret: `utf8` takes its characters as the key, `whsec_` and all; `base64` (what
    /// stands after `whsec_`) and `hex` decode them.
    #[serde(default)]
    #[schema(default = "utf8")]
    secret_encoding: Option<SecretEncoding>,
    /// The algorithm. `hmac-sha1` is for receivers that know nothing better.
    #[serde(default)]
    #[schema(default = "hmac-sha256")]
    algorithm: Option<Algorithm>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// Standard Webhooks 1.0.
    Standard,
    /// A header of the owner's own making.
    Custom,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    #[default]
    Hex,
    Base64,
}

/// What receivers make of the signing secret's characters before they use it as a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum SecretEncoding {
    /// Nothing: the characters are the key.
    #[default]
    Utf8,
    /// They decode them, without `whsec_` before them.
    Base64,
    Hex,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    #[default]
    HmacSha256,
    HmacSha512,
    HmacSha1,
}

/// A custom scheme, taken apart as the host wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Custom {
    pub header: String,
    /// What stands before the signatures.
    pub before: Vec<Piece>,
    /// What stands before each one.
    pub each: String,
    pub join: String,
    pub message: Vec<Piece>,
    pub encoding: Encoding,
    pub secret_encoding: SecretEncoding,
    /// The contract's name.
    pub algorithm: &'static str,
}

impl Signature {
    pub const STANDARD: Self = Self {
        scheme: Scheme::Standard,
        header: None,
        content: None,
        each: None,
        join: None,
        value: None,
        encoding: None,
        secret_encoding: None,
        algorithm: None,
    };

    /// The custom scheme; none for `standard`.
    ///
    /// # Errors
    /// `invalid-config`: fields of the one in the other. `invalid-template`: words that it does not know, something after
    /// the signatures, a body that is not signed, or characters that a header cannot hold.
    pub fn custom(&self) -> Result<Option<Custom>, Failure> {
        let header = match (self.scheme, &self.header) {
            (Scheme::Standard, _) if *self == Self::STANDARD => return Ok(None),
            (Scheme::Standard, _) => return Err(misplaced("the scheme standard has no other fields")),
            (Scheme::Custom, None) => return Err(misplaced("the scheme custom needs a header")),
            (Scheme::Custom, Some(header)) => header.clone(),
        };
        let content = self.content.as_deref().unwrap_or("{timestamp}.{body}");
        let each = self.each.as_deref().unwrap_or("v1={signature}");
        let join = self.join.as_deref().unwrap_or(",");
        let value = self.value.as_deref().unwrap_or("t={timestamp},{signatures}");
        for (field, text) in [("each", each), ("join", join), ("value", value)] {
            if text.chars().any(|c| c.is_control() && c != '\t') {
                return Err(wrong(field, "it holds control characters"));
            }
        }
        let message =
            template::parse(content, &[Word::Timestamp, Word::Body, Word::Id]).map_err(|why| wrong("content", &why))?;
        // Without it nothing that is sent is vouched for; each one more costs as much as the body is long.
        if message.iter().filter(|piece| **piece == Piece::Word(Word::Body)).count() != 1 {
            return Err(wrong("content", "it has {body} once"));
        }
        let before = template::before(value, Word::Signatures, &[Word::Timestamp, Word::Id])
            .map_err(|why| wrong("value", &why))?;
        let each = template::before(each, Word::Signature, &[]).map_err(|why| wrong("each", &why))?;
        let each = each.into_iter().map(|piece| if let Piece::Text(text) = piece { text } else { String::new() });
        let secret_encoding = self.secret_encoding.unwrap_or_default();
        Ok(Some(Custom {
            header,
            before,
            each: each.collect(),
            join: join.to_owned(),
            message,
            encoding: self.encoding.unwrap_or_default(),
            secret_encoding,
            algorithm: name(self.algorithm.unwrap_or_default(), secret_encoding),
        }))
    }
}

const fn name(algorithm: Algorithm, secret_encoding: SecretEncoding) -> &'static str {
    match (algorithm, secret_encoding) {
        (Algorithm::HmacSha256, SecretEncoding::Utf8) => "hmac-sha256-text",
        (Algorithm::HmacSha512, SecretEncoding::Utf8) => "hmac-sha512-text",
        (Algorithm::HmacSha1, SecretEncoding::Utf8) => "hmac-sha1-text",
        (Algorithm::HmacSha256, _) => "hmac-sha256",
        (Algorithm::HmacSha512, _) => "hmac-sha512",
        (Algorithm::HmacSha1, _) => "hmac-sha1",
    }
}

fn misplaced(why: &str) -> Failure {
    Failure::invalid("invalid-config", format!("signatures: {why}."))
}

fn wrong(field: &str, why: &str) -> Failure {
    Failure::invalid("invalid-template", format!("signatures: {field}: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn custom(mut fields: Value) -> Result<Custom, Failure> {
        fields["scheme"] = "custom".into();
        let signature: Signature = serde_json::from_value(fields).unwrap();
        signature.custom().map(Option::unwrap)
    }

    fn text(text: &str) -> Piece {
        Piece::Text(text.to_owned())
    }

    #[test]
    fn left_alone_it_has_stripes_shape() {
        let made = custom(json!({"header": "stripe-signature"})).unwrap();
        assert_eq!(made.before, [text("t="), Piece::Word(Word::Timestamp), text(",")]);
        assert_eq!((made.each.as_str(), made.join.as_str(), made.algorithm), ("v1=", ",", "hmac-sha256-text"));
        assert_eq!(made.message, [Piece::Word(Word::Timestamp), text("."), Piece::Word(Word::Body)]);
        assert_eq!((made.encoding, made.secret_encoding), (Encoding::Hex, SecretEncoding::Utf8));
    }

    #[test]
    fn a_digest_of_the_body_alone_can_be_said() {
        let fields = json!({"header": "x-hub-signature-256", "content": "{body}", "each": "sha256={signature}",
            "value": "{signatures}", "secret_encoding": "hex", "algorithm": "hmac-sha512", "encoding": "base64"});
        let made = custom(fields).unwrap();
        assert_eq!((made.before.len(), made.each.as_str(), made.algorithm), (0, "sha256=", "hmac-sha512"));
        assert_eq!((made.message, made.encoding), (vec![Piece::Word(Word::Body)], Encoding::Base64));
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        for (field, template) in [
            ("content", "{timestamp}"),
            ("content", "{body}{body}"),
            ("content", "{body}{secret}"),
            ("each", "{signature};"),
            ("each", "{id}{signature}"),
            ("value", "{signatures};end"),
            ("value", "{body}{signatures}"),
            ("value", "\r\n{signatures}"),
            ("join", "\n"),
        ] {
            let error = custom(json!({"header": "x-signature", field: template})).unwrap_err();
            assert_eq!(error.code, "invalid-template");
            assert!(error.message.starts_with(&format!("signatures: {field}: ")), "{}", error.message);
        }
    }
}
