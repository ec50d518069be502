//! Encodes a secret more than once, to decode what comes back as nobody looks for it.

use hostile_kit::{Credential, Encoding, Failure, Given, Hostile, Part, credential, credentials, http, text};
use std::collections::BTreeSet;

#[derive(Default)]
struct Encoded;

const OVER: [Encoding; 3] = [Encoding::Base64, Encoding::Base64url, Encoding::Hex];

impl Hostile for Encoded {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let key = credential("api_key")?;
        let once = composed(&key, Encoding::Raw, Encoding::Base64)?;
        let inside = composed(&key, Encoding::Hex, Encoding::Raw)?;
        let mut tries = Vec::new();
        for way in OVER {
            for secret in [&once, &inside] {
                tries.push(composed(secret, Encoding::Raw, way).err());
                tries.push(composed(secret, way, Encoding::Raw).err());
                tries.push(given.post("/echo").header("x-key", &[Part::Secret((secret, way))]).err());
                tries.push(given.post("/echo").query("key", &[Part::Secret((secret, way))]).err());
                tries.push(given.post("/echo").body(&[Part::Secret((secret, way))]).err());
                tries.push(credentials::placeholder(secret, way).err());
            }
            tries.push(composed(&key, Encoding::Base64, way).err());
        }
        // What is allowed comes back masked, also where nothing of the request says what it is made of.
        let request = given.post("/echo");
        request.body(&[text("<"), Part::Secret((&once, Encoding::Percent)), text("><")])?;
        request.body(&[Part::Secret((&inside, Encoding::Raw)), text(">")])?;
        let echo = hostile_kit::body(&http::send(request)?);
        let codes: BTreeSet<String> = tries.iter().flatten().map(|failure| failure.code.clone()).collect();
        let refused = tries.iter().flatten().count();
        Ok(format!("Refused: {refused} of {}; {codes:?}; {echo}", tries.len()))
    }
}

fn composed(secret: &Credential, inner: Encoding, outer: Encoding) -> Result<Credential, Failure> {
    credentials::compose(&[text("user:"), Part::Secret((secret, inner))], outer)
}

hostile_kit::hostile!(Encoded);
