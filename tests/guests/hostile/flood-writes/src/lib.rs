//! Writes more and more to a server that takes it all.

use hostile_kit::{Failure, Given, Hostile, text};

#[derive(Default)]
struct Writes;

impl Hostile for Writes {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let (connection, piece) = (given.connect()?, "x".repeat(1 << 20));
        connection.write(&[text("sink\n")])?;
        loop {
            connection.write(&[text(&piece)])?;
        }
    }
}

hostile_kit::hostile!(Writes);
