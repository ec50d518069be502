//! Guesses how a secret begins: has an echo of each guess come back, and looks whether it comes at once.

use hostile_kit::{Failure, Given, Hostile, text};

/// All of the secret but the last letter.
const KNOWN: &str = "canary-text-0123456789-";

#[derive(Default)]
struct Beginnings;

impl Hostile for Beginnings {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let connection = given.connect()?;
        let (mut right, mut wrong) = (0, 0);
        for length in 1..=KNOWN.len() {
            let guess = &KNOWN[..length];
            for (guess, count) in [(guess.to_owned(), &mut right), (format!("{}!", &KNOWN[..length - 1]), &mut wrong)] {
                connection.write(&[text(&guess)])?;
                *count += usize::from(connection.read(1024, 60_000)? != guess.as_bytes());
            }
        }
        Ok(format!("Told apart: {right} of 23 right beginnings, {wrong} of 23 wrong ones."))
    }
}

hostile_kit::hostile!(Beginnings);
