//! Passes a credential off as an answer and reads its body.

use hostile_kit::{Failure, Given, Hostile, Response, body, credential};

#[derive(Default)]
struct Confused;

impl Hostile for Confused {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        let key = credential("api_key")?;
        // SAFETY: none. It is another resource.
        let answer = unsafe { Response::from_handle(key.handle()) };
        Ok(body(&answer))
    }
}

hostile_kit::hostile!(Confused);
