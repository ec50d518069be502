//! Secrets that are looked for everywhere, however they are written.

use crate::plan::Given;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use railhead_model::manifest::{CredentialField, CredentialKind};
use railhead_plugin_harness::{Authority, TlsError};
use serde_json::json;
use std::collections::BTreeSet;

/// What a token endpoint of the suite gives.
pub(crate) const TOKEN: &str = "canary-token-0b7c/91+Dd==";

/// A credential field with a value, and what of it must be nowhere but where it was sent.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    pub(crate) field: String,
    pub(crate) value: String,
    /// The parts of the value that are secret.
    pub(crate) parts: Vec<Vec<u8>>,
}

impl Secret {
    /// A value for a field; `edition` tells the values of one field apart. `origin`: of the peer; `peers`: vouches for it.
    ///
    /// # Errors
    /// If the machine makes no keys.
    pub(crate) fn make(
        field: &CredentialField,
        edition: u8,
        origin: &str,
        peers: &Authority,
    ) -> Result<Self, TlsError> {
        let word = format!("canary-{}-{edition}-5f1c77a0", field.name.replace('_', "-"));
        let (value, parts) = match field.kind {
            CredentialKind::Text => (word.clone(), vec![word.into_bytes()]),
            CredentialKind::Bytes | CredentialKind::AzureKey => {
                let key = seed(&word);
                (format!("whsec_{}", STANDARD.encode(key)), vec![key.to_vec()])
            }
            CredentialKind::Aws => {
                let (id, token) = (format!("AKIAPUBLIC{edition:06}"), format!("{word}-session"));
                let mut value = json!({ "access_key_id": id, "secret_access_key": word });
                if field.name.contains("session") {
                    value["session_token"] = token.clone().into();
                }
                (value.to_string(), vec![word.into_bytes(), token.into_bytes()])
            }
            CredentialKind::GoogleServiceAccount => {
                let (_, key) = Authority::new("Keys")?.issue("public")?;
                let value = json!({
                    "type": "service_account",
                    "client_email": "public@example.com",
                    "private_key_id": "public",
                    "project_id": "public",
                    "private_key": key,
                    "token_uri": "https://oauth2.googleapis.com/token",
                });
                (value.to_string(), vec![inside(&key)])
            }
            CredentialKind::PrivateKey => {
                let seed = seed(&word);
                (STANDARD.encode(seed), vec![seed.to_vec()])
            }
            CredentialKind::TlsIdentity => {
                let (certificate, key) = Authority::new("Clients")?.issue("railhead")?;
                (format!("{certificate}{key}{}", peers.pem()), vec![inside(&key)])
            }
            CredentialKind::Url => (format!("{origin}/{word}/hook"), vec![word.into_bytes()]),
            CredentialKind::Headers => (json!({ "x-canary": word }).to_string(), vec![word.into_bytes()]),
        };
        Ok(Self { field: field.name.clone(), value, parts })
    }

    /// A value that the plan gives; all of it is secret.
    pub(crate) fn given(field: &CredentialField, value: &str) -> Self {
        Self { field: field.name.clone(), value: value.to_owned(), parts: vec![value.as_bytes().to_vec()] }
    }

    /// Whether the plan gives a field a value.
    pub(crate) fn is_wanted(field: &CredentialField, given: Option<&Given>) -> bool {
        match given {
            None => field.required || field.generate.is_some(),
            Some(Given::Made(made)) => *made,
            Some(Given::Value(_)) => true,
        }
    }
}

/// 32 bytes that begin like a word, as far as it goes.
fn seed(word: &str) -> [u8; 32] {
    let mut seed = [0x2a; 32];
    // The end of the word tells editions apart.
    let word = word.as_bytes();
    let tail = word.get(word.len().saturating_sub(seed.len())..).unwrap_or_default();
    for (to, from) in seed.iter_mut().zip(tail) {
        *to = *from;
    }
    seed
}

/// The second line of a PEM: the first one is alike in all keys of an algorithm.
fn inside(pem: &str) -> Vec<u8> {
    pem.lines().nth(2).unwrap_or_default().as_bytes().to_vec()
}

/// Looks for secrets in bytes, in each of their spellings.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    finder: aho_corasick::AhoCorasick,
    names: Vec<String>,
}

impl Search {
    /// For these parts, each with the name under which it is reported.
    pub(crate) fn of(parts: impl IntoIterator<Item = (String, Vec<u8>)>) -> Option<Self> {
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for (name, part) in parts.into_iter().filter(|(_, part)| part.len() >= 8) {
            for (way, spelt) in spellings(&part) {
                names.push(format!("{name} {way}"));
                values.push(spelt);
            }
        }
        let finder = aho_corasick::AhoCorasick::builder().ascii_case_insensitive(true).build(values).ok()?;
        Some(Self { finder, names })
    }

    /// What is in these bytes.
    pub(crate) fn found_in(&self, bytes: &[u8]) -> BTreeSet<&str> {
        let hits = self.finder.find_overlapping_iter(bytes);
        hits.filter_map(|hit| self.names.get(hit.pattern().as_usize())).map(String::as_str).collect()
    }
}

/// Raw and in base64, hex, percent- and JSON-escaped; base64 also as it stands inside something longer.
pub(crate) fn spellings(value: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = vec![
        ("as it is", value.to_vec()),
        ("in hex", hex::encode(value).into_bytes()),
        ("percent-encoded", percent(value).into_bytes()),
    ];
    for (shift, name) in ["in base64", "inside base64", "inside base64 "].into_iter().enumerate() {
        let text = STANDARD.encode([&vec![0; shift], value].concat());
        // Only the characters that its neighbours have no part in.
        let end = (shift + value.len()) * 8 / 6;
        all.push((name.trim_end(), text.as_bytes().get((shift * 8).div_ceil(6)..end).unwrap_or_default().to_vec()));
    }
    all.retain(|(_, spelt)| !spelt.is_empty());
    all
}

fn percent(bytes: &[u8]) -> String {
    let written = |byte: &u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(*byte).to_string(),
        other => format!("%{other:02X}"),
    };
    bytes.iter().map(written).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        let search =
            Search::of([("key".to_owned(), b"canary \"one\"/+1".to_vec()), ("short".to_owned(), b"seven77".to_vec())]);
        let search = search.unwrap();
        for (way, spelt) in spellings(b"canary \"one\"/+1") {
            let text = [b"before ", spelt.as_slice(), b" after"].concat();
            assert!(search.found_in(&text).iter().any(|found| found.starts_with("key ")), "{way}");
        }
        assert!(search.found_in(b"CANARY \"ONE\"/+1").len() == 1 && search.found_in(b"seven77 canary").is_empty());
    }
}
