//! The search for secrets in anything, however they are written.

use super::{canary, derived};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// No secret: it stands in every configuration, in every spelling, so that a search shows that it reads what it searches.
pub const PLANTED: &str = "planted-on+purpose/5f1c%";
/// The same for the spelling of JSON, which writes quotes in another way.
pub const PLANTED_QUOTED: &str = "planted \"in quotes\" 77a0";

/// A value that must be nowhere but where it was sent to.
#[derive(Clone, Debug)]
pub struct Canary {
    pub name: &'static str,
    value: Vec<u8>,
}

pub fn all() -> Vec<Canary> {
    let value = |name, value: &[u8]| Canary { name, value: value.to_vec() };
    let mut all = vec![
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
        value("planted", PLANTED.as_bytes()),
        value("planted in quotes", PLANTED_QUOTED.as_bytes()),
    ];
    // A run may go past midnight.
    let now = railhead_model::Clock::now(&railhead_model::SystemClock::new()).0 / 1_000;
    all.extend(derived::made(&[now, now + 86_400]).into_iter().map(|(name, bytes)| value(name, &bytes)));
    all
}

/// What is planted, for a configuration: JSON writes the last one as JSON does.
pub fn planted() -> Vec<String> {
    let all = all();
    let plain = all.iter().filter(|canary| canary.name == "planted").flat_map(Canary::spellings);
    let texts = plain.map(|(_, bytes)| String::from_utf8(bytes).unwrap());
    texts.chain([PLANTED_QUOTED.to_owned()]).collect()
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
    Found::of(bytes).secrets
}

/// What a search found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Which secrets, and how they are written.
    pub secrets: Vec<String>,
    /// How what was planted is written.
    pub planted: BTreeSet<String>,
}

impl Found {
    /// Searches these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::in_pieces([bytes])
    }

    /// Searches these pieces, each by itself.
    pub fn in_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Self {
        static FINDER: LazyLock<(aho_corasick::AhoCorasick, Vec<String>)> = LazyLock::new(|| {
            let all = all();
            let spelt = all.iter().flat_map(|canary| canary.spellings().into_iter().map(move |it| (canary.name, it)));
            let (names, values): (Vec<_>, Vec<_>) =
                spelt.map(|(name, (spelling, bytes))| (format!("{name} {spelling}"), bytes)).unzip();
            (aho_corasick::AhoCorasick::builder().ascii_case_insensitive(true).build(values).unwrap(), names)
        });
        let (finder, names) = &*FINDER;
        let hits = pieces.into_iter().flat_map(|piece| finder.find_overlapping_iter(piece));
        let found: BTreeSet<&String> = hits.map(|hit| &names[hit.pattern().as_usize()]).collect();
        let (planted, secrets): (Vec<&String>, Vec<&String>) =
            found.into_iter().partition(|name| name.starts_with("planted "));
        Self { secrets: secrets.into_iter().cloned().collect(), planted: planted.into_iter().cloned().collect() }
    }

    /// The spellings of what was planted that were not found. If there are any, a secret in them would not be either.
    pub fn missed(&self) -> Vec<String> {
        let every = ["raw", "hex", "percent", "base64", "base64 + 1", "base64 + 2"].map(|way| format!("planted {way}"));
        every.into_iter().chain(["planted in quotes json".to_owned()]).filter(|it| !self.planted.contains(it)).collect()
    }
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
