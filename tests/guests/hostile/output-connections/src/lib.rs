//! Connects a hundred times, one connection after the other, to fill the record with what it did there.

use hostile_kit::{Failure, Given, Hostile, text};

#[derive(Default)]
struct Connections;

impl Hostile for Connections {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        for _ in 0..100 {
            given.connect()?.write(&[text(&"x".repeat(1_000))])?;
        }
        Ok("It was written.".to_owned())
    }
}

hostile_kit::hostile!(Connections);
