//! Sends to a server that its manifest does not name, at another port of the same machine.

use hostile_kit::{Failure, Given, Hostile, Request, http};

#[derive(Default)]
struct Origin;

impl Hostile for Origin {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        http::send(Request::new("POST", &given.setting("other")))?;
        Ok("It was sent.".to_owned())
    }
}

hostile_kit::hostile!(Origin);
