//! The search for secrets in anything, however they are written.

use super::canary;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::LazyLock;

/// A value that must be nowhere but where it was sent to.
#[derive(Clone, Debug)]
pub struct Canary {
    pub name: &'static str,
    value: Vec<u8>,
}

pub fn all() -> Vec<Canary> {
    let value = |name, value: &[u8]| Canary { name, value: value.to_vec() };
    vec![
        value("text", canary::TEXT.as_bytes()),
        value("bytes", canary::BYTES),
        value("aws secret", canary::AWS_SECRET.as_bytes()),
        value("aws session", canary::AWS_SESSION.as_bytes()),
        value("google key", inside(&canary::GOOGLE).as_bytes()),
        value("private key", canary::SEED),
        value("tls key", inside(&canary::IDENTITY.1).as_bytes()),
        value("url", canary::PATH.as_bytes()),
        value("header", canary::HEADER.as_bytes()),
        value("token", canary::TOKEN.as_bytes()),
    ]
}

/// The second line of a PEM: the first one is alike in all keys of an algorithm.
fn inside(pem: &str) -> &str {
    pem.lines().nth(2).unwrap()
}

impl Canary {
    /// Raw and in base64, hex, percent- and JSON-escaped; base64 also as it stands inside something longer.
    pub fn spellings(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut all = vec![
            ("raw", self.value.clone()),
            ("hex", hex::encode(&self.value).into_bytes()),
            ("percent", percent(&self.value).into_bytes()),
            ("json", json(&self.value)),
        ];
        for (shift, name) in ["base64", "base64 + 1", "base64 + 2"].into_iter().enumerate() {
            let text = STANDARD.encode([&vec![0; shift], self.value.as_slice()].concat());
            // Only the characters that its neighbours have no part in.
            let end = (shift + self.value.len()) * 8 / 6;
            all.push((name, text.as_bytes()[(shift * 8).div_ceil(6)..end].to_vec()));
        }
        all
    }
}

/// The canaries in these bytes, and how they are written.
pub fn found_in(bytes: &[u8]) -> Vec<String> {
    static FINDER: LazyLock<(aho_corasick::AhoCorasick, Vec<String>)> = LazyLock::new(|| {
        let all = all();
        let spelt = all.iter().flat_map(|canary| canary.spellings().into_iter().map(move |it| (canary.name, it)));
        let (names, values): (Vec<_>, Vec<_>) =
            spelt.map(|(name, (spelling, bytes))| (format!("{name} {spelling}"), bytes)).unzip();
        (aho_corasick::AhoCorasick::new(values).unwrap(), names)
    });
    let (finder, names) = &*FINDER;
    let mut found: Vec<String> =
        finder.find_overlapping_iter(bytes).map(|hit| names[hit.pattern().as_usize()].clone()).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn percent(bytes: &[u8]) -> String {
    let written = |byte: &u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(*byte).to_string(),
        other => format!("%{other:02X}"),
    };
    bytes.iter().map(written).collect()
}

fn json(bytes: &[u8]) -> Vec<u8> {
    let quoted = serde_json::Value::from(String::from_utf8_lossy(bytes)).to_string();
    quoted.as_bytes()[1..quoted.len() - 1].to_vec()
}
