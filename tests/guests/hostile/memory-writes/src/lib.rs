//! Writes at once, many times over, more than the host may take of it.

use hostile_kit::{Failure, Given, Hostile, Part, text};

#[derive(Default)]
struct Writes;

impl Hostile for Writes {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let (connection, piece) = (given.connect()?, "x".repeat(128 << 10));
        connection.write(&[text("sink\n")])?;
        let pieces: Vec<Part<'_>> = (0..40).map(|_| text(&piece)).collect();
        connection.write(&pieces)?;
        Ok("It was written.".to_owned())
    }
}

hostile_kit::hostile!(Writes);
