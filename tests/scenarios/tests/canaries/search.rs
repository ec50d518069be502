//! Finds a secret in any text, however it is written: whole, or one of its halves.

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::collections::BTreeSet;
use std::ops::Range;
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

/// No secret: it is put into each place that is searched, in every spelling, to prove that the search reads that place.
pub const PLANTED: &str = "planted\"%<&=+on-purpose+5f1c";
/// The same, for where only letters, digits and dashes may stand.
pub const PLANTED_PLAIN: &str = "planted-on-purpose-77a0";

/// What is planted, in all its spellings.
pub fn planted() -> Vec<String> {
    let texts = spellings(PLANTED.as_bytes()).into_iter().map(|(_, text)| String::from_utf8(text).expect("ASCII"));
    texts.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The same, of what has letters and digits only.
pub fn planted_plainly() -> Vec<String> {
    let texts = spellings(PLANTED_PLAIN.as_bytes()).into_iter().filter(|(way, _)| PLAIN.contains(way));
    texts.map(|(_, text)| String::from_utf8(text).expect("ASCII")).collect()
}

/// Shorter spellings would hit by chance.
const SHORTEST: usize = 8;
/// Spellings that are letters and digits.
const PLAIN: [&str; 4] = ["raw", "hex", "hex in upper case", "base64url"];

/// All canaries, in all spellings, and what is planted.
pub struct Search {
    finder: AhoCorasick,
    patterns: Vec<Pattern>,
}

/// What is looked for.
enum Pattern {
    Secret(String),
    Planted(&'static str),
    PlantedPlainly(&'static str),
}

/// What is found in a text.
#[derive(Default)]
pub struct Found {
    /// Which canary, how it is written, and what stands around it.
    pub secrets: Vec<String>,
    planted: BTreeSet<&'static str>,
    planted_plainly: BTreeSet<&'static str>,
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
                    names.push(Pattern::Secret(format!("{name}{part}, {way}")));
                }
            }
        }
        for (way, spelling) in spellings(PLANTED.as_bytes()) {
            patterns.push(spelling);
            names.push(Pattern::Planted(way));
        }
        for (way, spelling) in spellings(PLANTED_PLAIN.as_bytes()) {
            patterns.push(spelling);
            names.push(Pattern::PlantedPlainly(way));
        }
        // Hexadecimal digits, escapes and the names of headers come in either case.
        let finder = AhoCorasick::builder().ascii_case_insensitive(true).build(patterns).expect("an automaton");
        Self { finder, patterns: names }
    }

    /// Searches a text as it is, and what is written in it in another way: see [`unfolded`].
    pub fn read(&self, text: &[u8]) -> Found {
        let mut found = Found::default();
        let text = unfolded(text);
        let mut seen = BTreeSet::new();
        for hit in self.finder.find_overlapping_iter(&text).filter(|hit| seen.insert(hit.pattern())) {
            match &self.patterns[hit.pattern().as_usize()] {
                Pattern::Secret(name) => {
                    let around = &text[hit.start().saturating_sub(120)..(hit.end() + 40).min(text.len())];
                    found.secrets.push(format!("{name}: {}", String::from_utf8_lossy(around).escape_debug()));
                }
                Pattern::Planted(way) => _ = found.planted.insert(way),
                Pattern::PlantedPlainly(way) => _ = found.planted_plainly.insert(way),
            }
        }
        found
    }
}

impl Found {
    /// The same, with what another text holds of what is planted.
    pub fn plus(mut self, other: &Self) -> Self {
        self.planted.extend(&other.planted);
        self.planted_plainly.extend(&other.planted_plainly);
        self
    }

    /// The spellings of what is planted that are not found: a secret in them would not be either.
    pub fn missed(&self) -> Vec<&'static str> {
        let all = spellings(PLANTED.as_bytes()).into_iter().map(|(way, _)| way).collect::<BTreeSet<_>>();
        all.difference(&self.planted).copied().collect()
    }

    /// The same, of those that are letters and digits.
    pub fn missed_plainly(&self) -> Vec<&'static str> {
        PLAIN.into_iter().filter(|way| !self.planted_plainly.contains(way)).collect()
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
    ];
    if std::str::from_utf8(value).is_ok() {
        all.push(("xml-escaped", every(xml)));
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

/// A text, what of it was written in base64 by us, such as bodies that are no text, and what of it was escaped once more
/// by the document that it stands in.
pub fn unfolded(text: &[u8]) -> Vec<u8> {
    let mut all = text.to_vec();
    for word in text.split(|byte| !(byte.is_ascii_alphanumeric() || b"+/=-_".contains(byte))) {
        if word.len() >= 64 {
            let decoded = STANDARD.decode(word).or_else(|_| URL_SAFE_NO_PAD.decode(word)).unwrap_or_default();
            all.push(b'\n');
            all.extend(decoded);
        }
    }
    for escapes in [&CODE[..], &HTML] {
        for run in escaped(text) {
            // JSON stands in JSON.
            let once = unescape(&text[run], escapes);
            let twice = unescape(&once, escapes);
            all.extend([&b"\n"[..], &once, b"\n", &twice].concat());
        }
    }
    all
}

type Escapes = [(&'static [u8], &'static [u8])];

/// Of JSON and of Rust's `Debug`.
const CODE: [(&[u8], &[u8]); 5] =
    [(b"\\\\", b"\\"), (b"\\\"", b"\""), (b"\\'", b"'"), (b"\\/", b"/"), (b"\\u0026", b"&")];

const HTML: [(&[u8], &[u8]); 9] = [
    (b"&lt;", b"<"),
    (b"&gt;", b">"),
    (b"&amp;", b"&"),
    (b"&quot;", b"\""),
    (b"&#34;", b"\""),
    (b"&#38;", b"&"),
    (b"&#39;", b"'"),
    (b"&#60;", b"<"),
    (b"&#62;", b">"),
];

/// The parts of a text that have escapes in them, with what stands around these.
fn escaped(text: &[u8]) -> Vec<Range<usize>> {
    const AROUND: usize = 512;
    let mut runs: Vec<Range<usize>> = Vec::new();
    for at in (0..text.len()).filter(|at| matches!(text[*at], b'\\' | b'&')) {
        let (start, end) = (at.saturating_sub(AROUND), (at + AROUND).min(text.len()));
        match runs.last_mut().filter(|last| start <= last.end) {
            Some(last) => last.end = end,
            None => runs.push(start..end),
        }
    }
    runs
}

/// Takes one layer of escapes away.
fn unescape(text: &[u8], escapes: &Escapes) -> Vec<u8> {
    let (mut rest, mut into) = (text, Vec::with_capacity(text.len()));
    while let Some(byte) = rest.first() {
        match escapes.iter().find(|(escape, _)| rest.starts_with(escape)) {
            Some((escape, plain)) => {
                into.extend_from_slice(plain);
                rest = &rest[escape.len()..];
            }
            None => {
                into.push(*byte);
                rest = &rest[1..];
            }
        }
    }
    into
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
