//! Asks for placeholders of ever more secrets that it composed and dropped.

use hostile_kit::{Encoding, Failure, Given, Hostile, Part, credential, credentials, text};
use std::collections::HashSet;

#[derive(Default)]
struct Placeholders;

impl Hostile for Placeholders {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        let (key, filler) = (credential("api_key")?, "x".repeat(60 << 10));
        let mut all = HashSet::new();
        for _ in 0..100 {
            let made = credentials::compose(&[text(&filler), Part::Secret((&key, Encoding::Raw))], Encoding::Raw)?;
            all.insert(credentials::placeholder(&made, Encoding::Raw)?);
        }
        Ok(format!("It has {}.", all.len()))
    }
}

hostile_kit::hostile!(Placeholders);
