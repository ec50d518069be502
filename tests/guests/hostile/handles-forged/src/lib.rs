//! Makes a number up and uses it as a request.

use hostile_kit::{Failure, Given, Hostile, Request, text};

#[derive(Default)]
struct Forged;

impl Hostile for Forged {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        // SAFETY: none. The host must find out.
        let forged = unsafe { Request::from_handle(4_242) };
        forged.header("x-a", &[text("1")])?;
        Ok("There was one.".to_owned())
    }
}

hostile_kit::hostile!(Forged);
