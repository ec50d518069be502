//! Places a key that may only sign.

use hostile_kit::{Encoding, Failure, Given, Hostile, Part, body, credential, http};

#[derive(Default)]
struct Key;

impl Hostile for Key {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let (request, key) = (given.post("/echo"), credential("signing_key")?);
        request.header("x-key", &[Part::Secret((&key, Encoding::Hex))])?;
        Ok(body(&http::send(request)?))
    }
}

hostile_kit::hostile!(Key);
