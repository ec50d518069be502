//! Shared Key of Azure Storage: Blob, Queue and File.
//!
//! The format is that of Microsoft's "Authorize with Shared Key" for service version 2015-02-21 and later, where a body
//! without bytes has no length in what is signed.

use super::failure::Failure;
use super::judge::{Place, allow_use};
use super::sign::Wire;
use crate::secret::Secret;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    IF_UNMODIFIED_SINCE, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use railhead_model::Timestamp;
use railhead_model::manifest::CredentialKind;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use url::Url;

/// Who signs.
#[derive(Clone, Debug)]
pub struct AzureSigner {
    /// The account's key, of kind `azure-key`.
    pub key: Arc<Secret>,
    /// The account's name.
    pub account: String,
}

/// Headers that it adds at most.
pub(super) const HEADERS: usize = 3;
/// The service version of requests that name none.
const VERSION: HeaderValue = HeaderValue::from_static("2021-12-02");

const MS_DATE: HeaderName = HeaderName::from_static("x-ms-date");
const MS_VERSION: HeaderName = HeaderName::from_static("x-ms-version");
const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// Judges a signer before anything is sent.
///
/// # Errors
/// `use-not-allowed`, `key-unsuitable`, `account-invalid`.
pub(super) fn check(signer: &AzureSigner) -> Result<(), Failure> {
    allow_use(&signer.key, Place::Signature)?;
    if signer.key.kind() != CredentialKind::AzureKey {
        let message = format!(
            "The credential `{}` is not the key of an account: its kind must be azure-key.",
            signer.key.field()
        );
        return Err(Failure::invalid("key-unsuitable", message));
    }
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    // Microsoft, "Storage account overview": what a name is made of.
    if !(3..=24).contains(&signer.account.len()) || !signer.account.chars().all(fits) {
        let message = "The name of a storage account has 3 to 24 lower-case letters and digits.";
        return Err(Failure::invalid("account-invalid", message));
    }
    Ok(())
}

/// Signs a request as it goes over the wire. Gives the headers that are its own: what the guest wrote there is replaced, but
/// for the version.
pub(super) fn run(signer: &AzureSigner, wire: &mut Wire<'_>) -> Result<Vec<HeaderName>, Failure> {
    let wrong = |_| Failure::invalid("header-invalid", "The signature cannot stand in a header.");
    wire.headers.remove(AUTHORIZATION);
    wire.headers.insert(MS_DATE, HeaderValue::from_str(&http_date(wire.now)).map_err(wrong)?);
    if !wire.headers.contains_key(MS_VERSION) {
        wire.headers.insert(MS_VERSION, VERSION);
    }
    let text = string_to_sign(wire, &signer.account);
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, signer.key.bytes()), &text);
    wire.made.push(signature.as_ref().to_vec());
    let value = format!("SharedKey {}:{}", signer.account, STANDARD.encode(signature));
    let mut value = HeaderValue::from_str(&value).map_err(wrong)?;
    value.set_sensitive(true);
    wire.headers.insert(AUTHORIZATION, value);
    Ok(vec![MS_DATE, MS_VERSION, AUTHORIZATION])
}

fn string_to_sign(wire: &Wire<'_>, account: &str) -> Vec<u8> {
    let mut text = wire.method.as_str().as_bytes().to_vec();
    let length = if wire.body.is_empty() { String::new() } else { wire.body.len().to_string() };
    let header = |name| wire.headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default();
    for line in [
        header(CONTENT_ENCODING),
        header(CONTENT_LANGUAGE),
        length.as_bytes(),
        header(CONTENT_MD5),
        header(CONTENT_TYPE),
        // Empty, for there is an `x-ms-date`.
        b"",
        header(IF_MODIFIED_SINCE),
        header(IF_MATCH),
        header(IF_NONE_MATCH),
        header(IF_UNMODIFIED_SINCE),
        header(RANGE),
    ] {
        text.push(b'\n');
        text.extend_from_slice(line.trim_ascii());
    }
    text.push(b'\n');
    text.extend_from_slice(&canonical_headers(wire.headers));
    text.extend_from_slice(canonical_resource(wire.url, account).as_bytes());
    text
}

/// All `x-ms-` headers, by name, each in one line.
fn canonical_headers(headers: &HeaderMap) -> Vec<u8> {
    let mut names: Vec<&str> =
        headers.keys().map(HeaderName::as_str).filter(|name| name.starts_with("x-ms-")).collect();
    // The service sorts as people do: hyphens count for nothing, and an underscore comes first.
    names.sort_by_cached_key(|name| (name.replace('-', "").replace('_', " "), *name));
    let mut lines = Vec::new();
    for name in names {
        let values: Vec<&[u8]> = headers.get_all(name).iter().map(|value| value.as_bytes().trim_ascii()).collect();
        lines.extend_from_slice(&[name.as_bytes(), b":", &values.join(&b","[..]), b"\n"].concat());
    }
    lines
}

/// The account, the path as it is written, and each parameter of the query, decoded, by name.
fn canonical_resource(url: &Url, account: &str) -> String {
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // A plus stays one: only percents are decoded.
    let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
    for parameter in url.query().unwrap_or_default().split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        parameters.entry(decoded(name).to_lowercase()).or_default().push(decoded(value));
    }
    let mut text = format!("/{account}{}", url.path());
    for (name, mut values) in parameters {
        values.sort_unstable();
        text.push_str(&format!("\n{name}:{}", values.join(",")));
    }
    text
}

/// As RFC 9110 (section 5.6.7) writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(now: Timestamp) -> String {
    let ms = u64::try_from(now.0).unwrap_or(0);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(ms))
}

#[cfg(test)]
mod tests;
