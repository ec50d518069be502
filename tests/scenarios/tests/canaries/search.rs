//! Finds a secret in any text, however it is written: whole, or one of its halves.

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::path::Path;

/// A secret that must be nowhere.
#[derive(Clone, Debug)]
pub struct Canary {
    pub name: String,
    pub value: Vec<u8>,
}

impl Canary {
    pub fn new(name: &str, value: impl Into<Vec<u8>>) -> Self {
        Self { name: name.to_owned(), value: value.into() }
    }
}

/// Shorter spellings would hit by chance.
const SHORTEST: usize = 8;

/// All canaries, in all spellings.
pub struct Search {
    finder: AhoCorasick,
    /// What each pattern is.
    names: Vec<String>,
}

impl Search {
    pub fn new(canaries: &[Canary]) -> Self {
        let (mut patterns, mut names) = (Vec::new(), Vec::new());
        for Canary { name, value } in canaries {
            assert!(value.len() >= 2 * SHORTEST, "{name} is too short for its halves to be looked for");
            let (start, end) = value.split_at(value.len() / 2);
            for (part, bytes) in [("", &value[..]), (", first half", start), (", second half", end)] {
                for (way, spelling) in spellings(bytes).into_iter().filter(|(_, one)| one.len() >= SHORTEST) {
                    patterns.push(spelling);
                    names.push(format!("{name}{part}, {way}"));
                }
            }
        }
        // Hexadecimal digits, escapes and the names of headers come in either case.
        let finder = AhoCorasick::builder().ascii_case_insensitive(true).build(patterns).expect("an automaton");
        Self { finder, names }
    }

    /// What is found in a text: which canary, how it is written, and what stands around it.
    pub fn find(&self, text: &[u8]) -> Option<String> {
        self.finder.find(text).map(|found| self.told(text, &found))
    }

    /// The same of each pattern that is found.
    pub fn find_all(&self, text: &[u8]) -> Vec<String> {
        let mut seen = std::collections::BTreeSet::new();
        let first = self.finder.find_iter(text).filter(|found| seen.insert(found.pattern()));
        first.map(|found| self.told(text, &found)).collect()
    }

    fn told(&self, text: &[u8], found: &aho_corasick::Match) -> String {
        let around = &text[found.start().saturating_sub(120)..(found.end() + 40).min(text.len())];
        let name = &self.names[found.pattern().as_usize()];
        format!("{name}: {}", String::from_utf8_lossy(around).escape_debug())
    }
}

/// A value in every way in which it could be written down.
pub fn spellings(value: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let text = String::from_utf8_lossy(value);
    let json = serde_json::to_string(&text).expect("a string");
    let json = json[1..json.len() - 1].to_owned();
    let every = |make: fn(u8) -> String| value.iter().map(|byte| make(*byte)).collect::<String>().into_bytes();
    let mut all = vec![
        ("raw", value.to_vec()),
        ("hex", hex::encode(value).into_bytes()),
        ("hex in upper case", hex::encode_upper(value).into_bytes()),
        ("percent-escaped where it must be", every(percent)),
        ("percent-escaped", every(|byte| format!("%{byte:02X}"))),
        ("json-escaped everywhere", every(|byte| format!("\\u{byte:04x}"))),
        ("xml-escaped", every(xml)),
    ];
    if std::str::from_utf8(value).is_ok() {
        all.push(("json-escaped with slashes", json.replace('/', "\\/").into_bytes()));
        all.push(("json-escaped twice", json.replace('\\', "\\\\").replace('"', "\\\"").into_bytes()));
        all.push(("json-escaped", json.into_bytes()));
    }
    for shift in 0..3 {
        let [standard, url] = inside_base64(value, shift);
        all.push(("base64", standard));
        all.push(("base64url", url));
    }
    all
}

fn percent(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

fn xml(byte: u8) -> String {
    match byte {
        b'<' => "&lt;".to_owned(),
        b'>' => "&gt;".to_owned(),
        b'&' => "&amp;".to_owned(),
        b'"' => "&quot;".to_owned(),
        _ => char::from(byte).to_string(),
    }
}

/// What base64 shows of a value that begins `shift` bytes after a group of three: what its neighbours have no part in.
fn inside_base64(value: &[u8], shift: usize) -> [Vec<u8>; 2] {
    let padded = [&vec![0; shift][..], value].concat();
    let (first, last) = ((shift * 8).div_ceil(6), padded.len() * 8 / 6);
    [STANDARD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)].map(|text| text.as_bytes()[first..last].to_vec())
}

/// A text, and what of it was written in base64 by us, such as bodies that are no text.
pub fn unfolded(text: &[u8]) -> Vec<u8> {
    let mut all = text.to_vec();
    for word in text.split(|byte| !(byte.is_ascii_alphanumeric() || b"+/=-_".contains(byte))) {
        if word.len() >= 64 {
            let decoded = STANDARD.decode(word).or_else(|_| URL_SAFE_NO_PAD.decode(word)).unwrap_or_default();
            all.push(b'\n');
            all.extend(decoded);
        }
    }
    all
}

/// Every file below a folder.
pub fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).expect("readable")));
        }
    }
    found
}
