//! Guesses how a secret begins that the server knows: what begins like it is held back.

use hostile_kit::{Encoding, Failure, Given, Hostile, Part, credential, text};

#[derive(Default)]
struct Guesses;

impl Hostile for Guesses {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let connection = given.connect()?;
        connection.write(&[Part::Secret((&credential("password")?, Encoding::Raw)), text("\n")])?;
        while !connection.read(1024, 60_000)?.ends_with(b"\n") {}
        for _ in 0..100 {
            connection.write(&[text("canary-text-")])?;
            connection.read(1024, 60_000)?;
        }
        Ok("It guessed a hundred times.".to_owned())
    }
}

hostile_kit::hostile!(Guesses);
