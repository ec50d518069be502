//! Asks a credential of each kind for whatever it may tell of itself.

use hostile_kit::{Failure, Given, Hostile, credential};

#[derive(Default)]
struct Attributes;

const FIELDS: [&str; 8] = ["text", "bytes", "aws", "google", "key", "identity", "link", "map"];

const NAMES: [&str; 16] = [
    "",
    "value",
    "secret",
    "bytes",
    "url",
    "path",
    "origin",
    "names",
    "public-key",
    "private-key",
    "private_key",
    "access-key-id",
    "secret-access-key",
    "session-token",
    "client-email",
    "token-uri",
];

impl Hostile for Attributes {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        let mut told = Vec::new();
        for field in FIELDS {
            let secret = credential(field)?;
            let names = NAMES.into_iter().filter(|name| secret.attribute(name).is_some());
            told.push(format!("{field}: {}", names.collect::<Vec<_>>().join(", ")));
        }
        Ok(told.join("; "))
    }
}

hostile_kit::hostile!(Attributes);
