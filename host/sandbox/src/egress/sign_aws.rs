//! AWS Signature Version 4, in the headers of a request or in the query of a URL.
//!
//! The format is that of "AWS Signature Version 4 for API requests" in AWS's IAM User Guide, with the rules of Amazon S3 for
//! its paths and payload hashes. Ours and not the SDK's: the SDK's signer brings its own types for requests and credentials
//! and some thirty crates, and keys derived for a day are to live here only, for one signature.

mod canonical;
mod operator;

use super::failure::Failure;
use super::judge::{Place, allow_use};
use super::sign::Wire;
use crate::secret::{AwsKeys, Encoding, Secret, encode};
use aws_lc_rs::{digest, hmac};
use canonical::{Paths, canonical_headers, canonical_path, canonical_query, host};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use railhead_model::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use url::Url;
use zeroize::Zeroizing;

/// Who signs, and for which service.
#[derive(Clone, Debug)]
pub struct AwsSigner {
    /// A key pair of kind `aws`.
    pub keys: Arc<Secret>,
    /// As AWS names it in scopes: `s3`, `sqs`.
    pub service: String,
    /// Such as `eu-central-1`.
    pub region: String,
}

/// Headers that it adds at most.
pub(super) const HEADERS: usize = 4;
/// How long a presigned URL may be good for: AWS takes a week, but whoever holds the URL needs no key.
pub(crate) const MAX_TTL: Duration = Duration::from_secs(12 * 3_600);

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const CONTENT_HASH: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Judges a signer before anything is sent.
pub(super) fn check(signer: &AwsSigner) -> Result<(), Failure> {
    allow_use(&signer.keys, Place::Signature)?;
    keys(&signer.keys)?;
    check_scope(&signer.service, &signer.region)
}

/// Signs a request as it goes over the wire. Gives the headers that are its own: what the guest wrote there is replaced.
pub(super) fn run(signer: &AwsSigner, wire: &mut Wire<'_>) -> Result<Vec<HeaderName>, Failure> {
    operator::check(&signer.keys, (&signer.service, &signer.region), wire)?;
    let keys = keys(&signer.keys)?;
    let scope = Scope::new(wire.now, &signer.region, &signer.service);
    let hash = sha256(wire.body);
    wire.headers.remove(AUTHORIZATION);
    set(wire.headers, DATE, &scope.at)?;
    if scope.paths == Paths::S3 || wire.headers.contains_key(CONTENT_HASH) {
        set(wire.headers, CONTENT_HASH, &hash)?;
    }
    match keys.session_token {
        Some(token) => set(wire.headers, TOKEN, token)?,
        None => drop(wire.headers.remove(TOKEN)),
    }
    let (headers, signed) = canonical_headers(&host(wire.url), wire.headers);
    let (path, query) = (wire.url.path(), wire.url.query().unwrap_or_default());
    let request = canonical_request((wire.method.as_str(), path, query, scope.paths), (&headers, &signed), &hash);
    let signature = scope.signature(&keys, &request);
    wire.made.extend(hex::decode(&signature).ok());
    let id = keys.access_key_id;
    let value = format!("{ALGORITHM} Credential={id}/{scope}, SignedHeaders={signed}, Signature={signature}");
    set(wire.headers, AUTHORIZATION, &value)?;
    Ok(vec![DATE, CONTENT_HASH, TOKEN, AUTHORIZATION])
}

/// A URL that anybody may GET for so long.
///
/// # Errors
/// `ttl-invalid`, `url-invalid`, `aws-scope-invalid`, `key-unsuitable`.
pub(crate) fn presigned(
    keys: &Secret,
    (service, region): (&str, &str),
    url: &str,
    ttl: Duration,
    now: Timestamp,
) -> Result<Zeroizing<String>, Failure> {
    check_scope(service, region)?;
    if ttl < Duration::from_secs(1) || ttl > MAX_TTL {
        return Err(Failure::invalid("ttl-invalid", "A presigned URL is good for 1 second to 12 hours."));
    }
    let mut url = super::origin::parse(url)?;
    super::origin::parts(&url)?;
    url.set_fragment(None);
    presign(&self::keys(keys)?, &Scope::new(now, region, service), &mut url, ttl);
    Ok(Zeroizing::new(url.into()))
}

fn presign(keys: &AwsKeys<'_>, scope: &Scope<'_>, url: &mut Url, ttl: Duration) {
    let mut query = Zeroizing::new(url.query().unwrap_or_default().to_owned());
    let credential = format!("{}/{scope}", keys.access_key_id);
    let ttl = ttl.as_secs().to_string();
    let given = [("Algorithm", ALGORITHM), ("Credential", &credential), ("Date", &scope.at), ("Expires", &ttl)];
    let token = keys.session_token.map(|token| ("Security-Token", token));
    for (name, value) in given.into_iter().chain(token).chain([("SignedHeaders", "host")]) {
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(&format!("X-Amz-{name}={}", percent(value.as_bytes())));
    }
    // Whoever sends it says what the body is; a GET has none.
    let hash = if scope.paths == Paths::S3 { "UNSIGNED-PAYLOAD".to_owned() } else { sha256(&[]) };
    let headers = format!("host:{}\n", host(url));
    let request = canonical_request(("GET", url.path(), &query, scope.paths), (headers.as_bytes(), "host"), &hash);
    query.push_str(&format!("&X-Amz-Signature={}", scope.signature(keys, &request)));
    url.set_query(Some(&query));
}

/// All that a signature covers. `wire`: method, path and query as they go over the wire; `headers`: their lines and names.
fn canonical_request(wire: (&str, &str, &str, Paths), headers: (&[u8], &str), hash: &str) -> Vec<u8> {
    let ((method, path, query, paths), (lines, names)) = (wire, headers);
    let (path, query) = (canonical_path(path, paths), canonical_query(query));
    [method.as_bytes(), path.as_bytes(), query.as_bytes(), lines, names.as_bytes(), hash.as_bytes()].join(&b'\n')
}

fn keys(secret: &Secret) -> Result<AwsKeys<'_>, Failure> {
    secret.aws().ok_or_else(|| {
        let message = format!("The credential `{}` is no AWS key pair.", secret.field());
        Failure::invalid("key-unsuitable", message)
    })
}

fn check_scope(service: &str, region: &str) -> Result<(), Failure> {
    for (what, text) in [("service", service), ("region", region)] {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if text.is_empty() || text.len() > 64 || !text.bytes().all(fits) {
            let message = format!("The {what} of an AWS signature has 1 to 64 letters, digits, dots and dashes.");
            return Err(Failure::invalid("aws-scope-invalid", message));
        }
    }
    Ok(())
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) -> Result<(), Failure> {
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        Failure::invalid("key-unsuitable", format!("The AWS keys cannot stand in the header `{name}`."))
    })?;
    value.set_sensitive(name == AUTHORIZATION || name == TOKEN);
    headers.insert(name, value);
    Ok(())
}

/// When, where and for what a signature is good. Displayed as AWS writes it.
struct Scope<'a> {
    /// `20150830T123600Z`
    at: String,
    region: &'a str,
    service: &'a str,
    paths: Paths,
}

impl std::fmt::Display for Scope<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}/aws4_request", self.day(), self.region, self.service)
    }
}

impl<'a> Scope<'a> {
    fn new(now: Timestamp, region: &'a str, service: &'a str) -> Self {
        let paths = if service.starts_with("s3") { Paths::S3 } else { Paths::Usual };
        Self { at: basic(now), region, service, paths }
    }

    fn day(&self) -> &str {
        self.at.split('T').next().unwrap_or_default()
    }

    fn signature(&self, keys: &AwsKeys<'_>, canonical_request: &[u8]) -> String {
        let signed = format!("{ALGORITHM}\n{}\n{self}\n{}", self.at, sha256(canonical_request));
        let mut key = Zeroizing::new([b"AWS4", keys.secret_access_key.as_bytes()].concat());
        for piece in [self.day(), self.region, self.service, "aws4_request"] {
            key = Zeroizing::new(hmac_of(&key, piece));
        }
        hex::encode(hmac_of(&key, &signed))
    }
}

fn hmac_of(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

/// ISO 8601 in its basic form, in seconds.
fn basic(at: Timestamp) -> String {
    let text = at.to_string();
    let seconds = text.split('.').next().unwrap_or_default();
    let mut basic: String = seconds.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    basic.push('Z');
    basic
}

fn percent(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&encode(bytes, Encoding::Percent)).into_owned()
}

#[cfg(test)]
mod tests;
