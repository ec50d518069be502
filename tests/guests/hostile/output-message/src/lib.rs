//! Gives an outcome whose message has sixteen megabytes.

use hostile_kit::{Failure, Given, Hostile};

#[derive(Default)]
struct Message;

impl Hostile for Message {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        Ok("x".repeat(16 << 20))
    }
}

hostile_kit::hostile!(Message);
