//! The pieces of a request in the one form that both sides hash.

use super::percent;
use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode;
use url::Url;

/// How a service reads the path of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paths {
    /// Amazon S3 and what speaks its protocol: the path is the object's key, encoded once and otherwise as it is.
    S3,
    /// All others: normalized, and what is on the wire encoded once more.
    Usual,
}

/// Set by the host's HTTP library, or changed by what lies between: not covered.
const NOT_COVERED: [&str; 6] =
    ["authorization", "content-length", "traceparent", "tracestate", "user-agent", "x-amzn-trace-id"];

/// `path`: as it goes over the wire.
pub(super) fn canonical_path(path: &str, paths: Paths) -> String {
    let encode = |segment: &[u8]| percent(segment);
    let segments: Vec<String> = match paths {
        Paths::S3 => {
            let decoded: Vec<u8> = percent_decode(path.as_bytes()).collect();
            decoded.split(|byte| *byte == b'/').map(encode).collect()
        }
        Paths::Usual => normalized(path).into_iter().map(|segment| encode(segment.as_bytes())).collect(),
    };
    let joined = segments.join("/");
    if joined.is_empty() { "/".to_owned() } else { joined }
}

/// Segments without `.`, `..` and empty ones; the first is empty, and so is the last where the path ends with a slash.
fn normalized(path: &str) -> Vec<&str> {
    let mut kept = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    let is_folder = path.ends_with('/') && !kept.is_empty();
    std::iter::once("").chain(kept).chain(is_folder.then_some("")).collect()
}

/// Parameters decoded, encoded strictly, and sorted by name, then by value.
pub(super) fn canonical_query(query: &str) -> String {
    let again = |text: &str| {
        let text = text.replace('+', " ");
        percent(&percent_decode(text.as_bytes()).collect::<Vec<u8>>())
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<(String, String)> = pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (again(name), again(value)))
        .collect();
    pairs.sort_unstable();
    pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// One line for each header that is covered, and their names.
pub(super) fn canonical_headers(host: &str, headers: &HeaderMap) -> (Vec<u8>, String) {
    let covered = headers.keys().map(HeaderName::as_str).filter(|name| !NOT_COVERED.contains(name));
    let mut names: Vec<&str> = covered.chain(["host"]).collect();
    names.sort_unstable();
    let mut lines = Vec::new();
    for name in &names {
        lines.extend_from_slice(name.as_bytes());
        lines.push(b':');
        if *name == "host" {
            lines.extend_from_slice(host.as_bytes());
        } else {
            let values = headers.get_all(*name).iter().map(|value| trimmed(value.as_bytes()));
            lines.extend(values.collect::<Vec<_>>().join(&b','));
        }
        lines.push(b'\n');
    }
    (lines, names.join(";"))
}

/// Without blanks at its ends; each run of blanks inside is one.
fn trimmed(value: &[u8]) -> Vec<u8> {
    let words = value.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ')
}

/// The header `host` as the HTTP library writes it: a port only where it is not the scheme's own.
pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
