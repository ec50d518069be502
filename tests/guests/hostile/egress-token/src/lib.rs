//! Sends to the token endpoint by itself, where only the host may go.

use hostile_kit::{Failure, Given, Hostile, Request, http};

#[derive(Default)]
struct Token;

impl Hostile for Token {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        http::send(Request::new("POST", &given.setting("token")))?;
        Ok("It was sent.".to_owned())
    }
}

hostile_kit::hostile!(Token);
