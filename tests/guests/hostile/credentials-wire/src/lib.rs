//! Places what stands in frames of a protocol in a header of HTTP.

use hostile_kit::{Encoding, Failure, Given, Hostile, Part, body, credential, http};

#[derive(Default)]
struct Wire;

impl Hostile for Wire {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let (request, password) = (given.post("/echo"), credential("password")?);
        request.header("x-password", &[Part::Secret((&password, Encoding::Raw))])?;
        Ok(body(&http::send(request)?))
    }
}

hostile_kit::hostile!(Wire);
