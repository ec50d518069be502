//! Sends to its own destination in the name of another host.

use hostile_kit::{Failure, Given, Hostile, http, text};

#[derive(Default)]
struct Host;

impl Hostile for Host {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let request = given.post("/");
        request.header("Host", &[text("internal.example")])?;
        http::send(request)?;
        Ok("It was sent.".to_owned())
    }
}

hostile_kit::hostile!(Host);
