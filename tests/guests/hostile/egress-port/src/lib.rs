//! Connects to another port of the server that its configuration names.

use hostile_kit::{Connection, Failure, Given, Hostile, Security};

#[derive(Default)]
struct Port;

impl Hostile for Port {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        Connection::connect(&given.setting("host"), 1, Security::Plain)?;
        Ok("It connected.".to_owned())
    }
}

hostile_kit::hostile!(Port);
