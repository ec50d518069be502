//! Reads credential fields: each kind once, at entry, so that a wrong one is told to its owner and not to a receiver.

use super::Value;
use super::identity::Identity;
use super::masker::SHORTEST;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use railhead_model::manifest::CredentialKind;
use std::collections::BTreeMap;
use url::Position;
use zeroize::Zeroizing;

/// Bytes that a credential field may hold.
pub const MAX_SECRET: usize = 16 * 1024;
/// Bytes of a URL: it is masked whole, and its pieces each by itself.
pub const MAX_URL: usize = 4 * 1024;
/// Segments of a URL's path and parameters of its query, together: each is masked by itself.
pub const MAX_URL_PARTS: usize = 64;
/// Headers of a map.
pub const MAX_HEADERS: usize = 32;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// What is wrong with a credential field, for its owner. The value is not in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SecretError {
    /// Stable, kebab-case: `secret-not-bytes`.
    pub code: &'static str,
    /// For the field's owner.
    pub message: String,
}

impl SecretError {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// Of a value that is to be placed: a receiver may send it back, and one so short cannot be told from other text.
pub(super) fn too_short() -> SecretError {
    let message =
        format!("The value has fewer than {SHORTEST} bytes: it could not be masked where a receiver sends it back.");
    SecretError::new("secret-too-short", message)
}

/// Reads a field as its kind wants it.
pub(super) fn value(kind: CredentialKind, given: &[u8]) -> Result<Value, SecretError> {
    if given.is_empty() {
        return Err(SecretError::new("secret-empty", "The value is empty."));
    }
    if given.len() > MAX_SECRET {
        return Err(SecretError::new("secret-too-long", format!("The value has more than {MAX_SECRET} bytes.")));
    }
    let text =
        std::str::from_utf8(given).map_err(|_| SecretError::new("secret-not-text", "The value is not UTF-8."))?;
    match kind {
        CredentialKind::Text => Ok(Value::Bytes(Zeroizing::new(given.to_vec()))),
        CredentialKind::Bytes | CredentialKind::AzureKey => bytes(text).map(Value::Bytes),
        CredentialKind::Url => whole_url(text),
        CredentialKind::Headers => headers(text),
        CredentialKind::PrivateKey => private_key(text),
        CredentialKind::Aws => {
            let public =
                [("access_key_id", "access-key-id"), ("external_id", "external-id"), ("account_id", "account-id")];
            let keys = document(text, &public, &["secret_access_key"], &["session_token"])?;
            super::aws::check(&keys).map(|()| keys)
        }
        CredentialKind::GoogleServiceAccount => {
            let public =
                [("client_email", "client-email"), ("private_key_id", "private-key-id"), ("project_id", "project-id")];
            document(text, &public, &["private_key"], &[]).and_then(super::key::within)
        }
        CredentialKind::TlsIdentity => Identity::parse(text).map(|identity| Value::Identity(Box::new(identity))),
    }
}

/// How a value of kind `bytes` is written, and its characters as a receiver has them: without a prefix of ours.
///
/// `whsec_…` and `base64:…`, `hex:…`, `utf8:…`; without a prefix 32 or more hexadecimal digits, else base64.
pub(super) fn written(text: &str) -> (&'static str, &str) {
    let text = text.trim();
    for (prefix, form) in [("base64:", "base64"), ("hex:", "hex"), ("utf8:", "utf8")] {
        if let Some(rest) = text.strip_prefix(prefix) {
            return (form, rest);
        }
    }
    let looks_hex =
        text.len() >= 32 && text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (if looks_hex { "hex" } else { "base64" }, text)
}

/// The bytes that such a value stands for.
fn bytes(text: &str) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let wrong = || {
        let message =
            "The value is neither base64 nor hexadecimal. Write `utf8:` before it if its characters are the key.";
        SecretError::new("secret-not-bytes", message)
    };
    let read = match written(text) {
        ("hex", digits) => hex::decode(digits).ok(),
        ("utf8", characters) => Some(characters.as_bytes().to_vec()),
        (_, digits) => base64(digits.strip_prefix("whsec_").unwrap_or(digits)),
    };
    read.filter(|bytes| !bytes.is_empty()).map(Zeroizing::new).ok_or_else(wrong)
}

fn base64(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).or_else(|_| BASE64URL.decode(text)).ok()
}

fn whole_url(text: &str) -> Result<Value, SecretError> {
    if text.len() > MAX_URL {
        return Err(SecretError::new("secret-too-long", format!("The URL has more than {MAX_URL} bytes.")));
    }
    let url = url::Url::parse(text.trim())
        .map_err(|error| SecretError::new("secret-not-url", format!("The value is not a URL: {error}.")))?;
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
        return Err(SecretError::new(
            "secret-not-url",
            "The URL must begin with https:// and hold no user name or password.",
        ));
    }
    let segments = url.path().split('/').skip(1).count();
    if segments + url.query().map_or(0, |query| query.split('&').count()) > MAX_URL_PARTS {
        let message = format!("The URL has more than {MAX_URL_PARTS} path segments and query parameters.");
        return Err(SecretError::new("secret-too-many-parts", message));
    }
    let (origin, pieces) = (url.origin(), pieces(&url));
    Ok(Value::Url(Zeroizing::new(url.into()), origin, pieces))
}

/// What of a URL must not come back: all after its origin, with and without the fragment, which is not sent; each
/// segment of the path and each value of the query, as written and decoded. Many receivers tell one of them in errors.
fn pieces(url: &url::Url) -> Vec<Zeroizing<String>> {
    let query = url.query().unwrap_or_default();
    let values = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
    let short = url.path().split('/').chain(values).chain(url.fragment());
    let mut pieces: Vec<_> = short.map(str::to_owned).collect();
    pieces.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
    // The decoder is one of queries, where these three mean something else.
    let path = url.path().replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    let segments = path.split('/').flat_map(|text| url::form_urlencoded::parse(text.as_bytes()));
    pieces.extend(segments.map(|(text, _)| text.into_owned()));
    // A short one is everywhere, and `/` alone is in every URL.
    pieces.retain(|piece| piece.len() >= SHORTEST);
    let rest = [&url[Position::BeforePath..Position::AfterQuery], &url[Position::BeforePath..]];
    pieces.extend(rest.map(str::to_owned));
    pieces.sort_unstable();
    pieces.dedup();
    pieces.into_iter().map(Zeroizing::new).collect()
}

fn headers(text: &str) -> Result<Value, SecretError> {
    let wrong = |message: String| SecretError::new("secret-not-headers", message);
    let given = serde_json::from_str::<BTreeMap<String, String>>(text)
        .map_err(|_| wrong("The value is not a JSON object of header names and texts.".to_owned()))?;
    let mut map = BTreeMap::new();
    for (name, value) in given {
        if map.insert(name.to_ascii_lowercase(), Zeroizing::new(value)).is_some() {
            return Err(wrong(format!("The header `{}` is there twice.", name.escape_debug())));
        }
    }
    if map.is_empty() {
        return Err(wrong("There is no header in it.".to_owned()));
    }
    if map.len() > MAX_HEADERS {
        let message = format!("There are more than {MAX_HEADERS} headers in it.");
        return Err(SecretError::new("secret-too-many-headers", message));
    }
    for (name, value) in &map {
        let name = crate::egress::header_name(name).map_err(|failure| wrong(failure.message))?;
        crate::egress::check_header_value(&name, value.as_bytes()).map_err(|failure| wrong(failure.message))?;
    }
    Ok(Value::Headers(map))
}

/// An Ed25519 key: its seed (32 bytes) or seed and public key (64), in base64, hex or `whsk_…`. Any key in PEM.
fn private_key(text: &str) -> Result<Value, SecretError> {
    let wrong = |message: &str| SecretError::new("secret-not-private-key", message);
    if text.trim_start().starts_with("-----BEGIN") {
        return super::key::pem(text);
    }
    let given = bytes(text.trim().strip_prefix("whsk_").unwrap_or(text))?;
    let (seed, public) = given.split_at_checked(32).ok_or_else(|| wrong("An Ed25519 seed has 32 bytes."))?;
    let pair = if public.is_empty() {
        Ed25519KeyPair::from_seed_unchecked(seed)
    } else {
        Ed25519KeyPair::from_seed_and_public_key(seed, public)
    };
    let pair = pair.map_err(|_| wrong("The value is not an Ed25519 seed, or its public key is another one's."))?;
    Ok(Value::Ed25519(Zeroizing::new(seed.to_vec()), Box::new(pair)))
}

/// A JSON document with public and hidden members. The last list may be absent.
fn document(text: &str, public: &[(&str, &str)], hidden: &[&str], optional: &[&str]) -> Result<Value, SecretError> {
    let wrong = |message: String| SecretError::new("secret-not-document", message);
    let members: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|_| wrong("The value is not a JSON object.".to_owned()))?;
    let member = |name: &str| members.get(name).and_then(|value| value.as_str()).map(str::to_owned);
    let mut kept = Vec::new();
    for name in hidden {
        kept.push(Zeroizing::new(member(name).ok_or_else(|| wrong(format!("The member `{name}` is missing.")))?));
    }
    kept.extend(optional.iter().filter_map(|name| member(name)).map(Zeroizing::new));
    let mut attributes = BTreeMap::new();
    for (name, attribute) in public {
        attributes.extend(member(name).map(|value| ((*attribute).to_owned(), value)));
    }
    Ok(Value::Document { whole: Zeroizing::new(text.as_bytes().to_vec()), hidden: kept, attributes })
}

#[cfg(test)]
mod tests {
    use crate::secret::{Secret, SecretError};
    use railhead_model::manifest::{CredentialKind, CredentialUse};
    use std::sync::Arc;

    fn parse(kind: CredentialKind, given: &str) -> Result<Arc<Secret>, SecretError> {
        Secret::parse("field", kind, CredentialUse::Place, &[], given.as_bytes())
    }

    fn code(kind: CredentialKind, given: &str) -> &'static str {
        parse(kind, given).unwrap_err().code
    }

    #[test]
    fn bytes_are_read_as_whsec_base64_hex_and_text() {
        let key = b"0123456789abcdef\xff\xfe";
        for given in [
            "whsec_MDEyMzQ1Njc4OWFiY2RlZv/+",
            "MDEyMzQ1Njc4OWFiY2RlZv_-",
            "base64:MDEyMzQ1Njc4OWFiY2RlZv/+",
            "30313233343536373839616263646566fffe",
            "hex:30313233343536373839616263646566FFFE",
        ] {
            assert_eq!(parse(CredentialKind::Bytes, given).unwrap().bytes(), key, "{given}");
        }
        assert_eq!(parse(CredentialKind::Bytes, "utf8:not base64!").unwrap().bytes(), b"not base64!");
        assert_eq!(code(CredentialKind::Bytes, "not base64!"), "secret-not-bytes");
        assert_eq!(code(CredentialKind::Bytes, "whsec_"), "secret-not-bytes");
    }

    #[test]
    fn bytes_keep_the_characters_that_both_sides_wrote_down() {
        let digits = "30313233343536373839616263646566fffe";
        for (given, form, characters) in [
            ("whsec_MDEyMzQ1Njc4OWFiY2RlZv/+", "base64", "whsec_MDEyMzQ1Njc4OWFiY2RlZv/+"),
            ("base64:MDEyMzQ1Njc4OWFiY2RlZv/+", "base64", "MDEyMzQ1Njc4OWFiY2RlZv/+"),
            (digits, "hex", digits),
            ("utf8:not base64!", "utf8", "not base64!"),
        ] {
            let key = parse(CredentialKind::Bytes, given).unwrap();
            assert_eq!((key.attribute("form").as_deref(), key.characters()), (Some(form), characters.as_bytes()));
        }
        let text = parse(CredentialKind::Text, "a plain text").unwrap();
        assert_eq!((text.attribute("form"), text.characters()), (None, &b"a plain text"[..]));
    }

    #[test]
    fn a_url_shows_its_origin_alone() {
        let url = parse(CredentialKind::Url, "https://Hooks.Example.com/services/T0/B0/xyz").unwrap();
        assert_eq!(url.attribute("origin").as_deref(), Some("https://hooks.example.com"));
        assert_eq!(format!("{url:?}"), "Secret(field)");
        for wrong in ["hooks.example.com", "ftp://x/y", "https://user:pw@x/"] {
            assert_eq!(code(CredentialKind::Url, wrong), "secret-not-url", "{wrong}");
        }
    }

    #[test]
    fn what_is_masked_by_pieces_has_few_pieces() {
        let path = |segments: usize| "/a".repeat(segments);
        assert!(parse(CredentialKind::Url, &format!("https://x.test{}?a=1&b=2", path(62))).is_ok());
        for many in [path(65), format!("{}?a=1&b=2", path(63)), format!("/?{}", "a=1&".repeat(70))] {
            assert_eq!(code(CredentialKind::Url, &format!("https://x.test{many}")), "secret-too-many-parts");
        }
        assert_eq!(code(CredentialKind::Url, &format!("https://x.test/{}", "a".repeat(4_096))), "secret-too-long");
        let map = |headers: usize| {
            let members: Vec<_> = (0..headers).map(|n| format!(r#""x-{n}": "v-0123456789""#)).collect();
            format!("{{{}}}", members.join(","))
        };
        assert!(parse(CredentialKind::Headers, &map(32)).is_ok());
        assert_eq!(code(CredentialKind::Headers, &map(33)), "secret-too-many-headers");
    }

    #[test]
    fn header_maps_hold_no_header_of_the_host_and_no_line_breaks() {
        let map = parse(CredentialKind::Headers, r#"{"X-Key": "k-0123456789", "x-b": "v-0123456789"}"#).unwrap();
        assert_eq!(map.attribute("names").as_deref(), Some("x-b\nx-key"));
        assert_eq!(map.header("X-KEY"), Some("k-0123456789"));
        let twice = r#"{"X-A": "v-0123456789", "x-a": "w-0123456789"}"#;
        for wrong in
            ["{}", twice, r#"{"Host": "x"}"#, r#"{"x-a": "b\r\nc: d"}"#, r#"{"x a": "b"}"#, r#"{"x": 1}"#, "[]"]
        {
            assert_eq!(code(CredentialKind::Headers, wrong), "secret-not-headers", "{wrong}");
        }
    }

    #[test]
    fn what_is_too_short_to_be_masked_is_not_placed() {
        assert_eq!(code(CredentialKind::Text, "1234567"), "secret-too-short");
        assert_eq!(code(CredentialKind::Headers, r#"{"x-a": "long-enough", "x-b": "1234567"}"#), "secret-too-short");
        assert!(parse(CredentialKind::Text, "12345678").is_ok());
        let key = Secret::parse("key", CredentialKind::Text, CredentialUse::SignRequest, &[], b"1234567");
        assert!(key.is_ok(), "what is only signed with never stands in a request");
    }

    #[test]
    fn ed25519_keys_show_their_public_key() {
        // RFC 8032, section 7.1, test 1
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let public = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        let key = parse(CredentialKind::PrivateKey, seed).unwrap();
        assert_eq!(key.attribute("public-key").as_deref(), Some(public));
        assert!(key.ed25519().is_some());
        assert_eq!(code(CredentialKind::PrivateKey, "aGVsbG8="), "secret-not-private-key");
        let other = format!("{seed}{}", "00".repeat(32));
        assert_eq!(code(CredentialKind::PrivateKey, &other), "secret-not-private-key");
    }

    #[test]
    fn documents_show_their_public_members() {
        let aws = r#"{"access_key_id": "AKIA1", "secret_access_key": "s3cr3ts3cr3t"}"#;
        let aws = parse(CredentialKind::Aws, aws).unwrap();
        assert_eq!(aws.attribute("access-key-id").as_deref(), Some("AKIA1"));
        assert_eq!(aws.attribute("secret-access-key"), None);
        assert_eq!(code(CredentialKind::Aws, r#"{"access_key_id": "AKIA1"}"#), "secret-not-document");
        assert_eq!(code(CredentialKind::Text, ""), "secret-empty");
    }
}
