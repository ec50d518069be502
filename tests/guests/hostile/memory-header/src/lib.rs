//! Multiplies what it does not have: 60 KiB that the host composed, six hundred times in one header.

use hostile_kit::{Encoding, Failure, Given, Hostile, Part, credential, credentials, http, text};

#[derive(Default)]
struct Header;

impl Hostile for Header {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let (request, key, filler) = (given.post("/"), credential("api_key")?, "x".repeat(60 << 10));
        let long = credentials::compose(&[text(&filler), Part::Secret((&key, Encoding::Raw))], Encoding::Raw)?;
        let value: Vec<Part<'_>> = (0..600).map(|_| Part::Secret((&long, Encoding::Hex))).collect();
        request.header("x-key", &value)?;
        http::send(request)?;
        Ok("It was sent.".to_owned())
    }
}

hostile_kit::hostile!(Header);
