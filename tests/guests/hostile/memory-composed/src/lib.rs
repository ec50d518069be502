//! Has the host hold all that it will in bodies, and still more in secrets that it composes and keeps.

use hostile_kit::{Encoding, Failure, Given, Hostile, Part, credential, credentials, text};

#[derive(Default)]
struct Composed;

impl Hostile for Composed {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let (key, filler, piece) = (credential("api_key")?, "x".repeat(60 << 10), "x".repeat(1 << 20));
        let requests = [given.post("/"), given.post("/")];
        for (request, pieces) in requests.iter().zip([32, 31]) {
            for _ in 0..pieces {
                request.body(&[text(&piece)])?;
            }
        }
        let mut kept = Vec::new();
        loop {
            kept.push(credentials::compose(&[text(&filler), Part::Secret((&key, Encoding::Raw))], Encoding::Raw)?);
        }
    }
}

hostile_kit::hostile!(Composed);
