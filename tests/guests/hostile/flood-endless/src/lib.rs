//! Reads on and on what a server sends without end.

use hostile_kit::{Failure, Given, Hostile, text};

#[derive(Default)]
struct Endless;

impl Hostile for Endless {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let connection = given.connect()?;
        connection.write(&[text("endless\n")])?;
        loop {
            connection.read(1 << 20, 60_000)?;
        }
    }
}

hostile_kit::hostile!(Endless);
