//! Measures a secret that never stands in a frame.

use hostile_kit::{Encoding, Failure, Given, Hostile, credential};

#[derive(Default)]
struct Length;

impl Hostile for Length {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        Ok(credential("api_key")?.length(Encoding::Raw)?.to_string())
    }
}

hostile_kit::hostile!(Length);
