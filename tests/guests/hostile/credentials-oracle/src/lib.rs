//! Guesses: what the host masks in an echo is the secret. It knows all of it but the last letter.

use hostile_kit::{Failure, Given, Hostile, body, http, text};

#[derive(Default)]
struct Oracle;

impl Hostile for Oracle {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let mut told_apart = 0;
        for letter in "abcdefghijklmnopqrstuvwxy".chars() {
            for guess in [format!("canary-text-0123456789-{letter}"), "canary-text-0123456789-".to_owned()] {
                let request = given.post("/echo");
                request.body(&[text(&guess)])?;
                told_apart += usize::from(body(&http::send(request)?) != guess);
            }
        }
        Ok(format!("{told_apart} guesses were told apart."))
    }
}

hostile_kit::hostile!(Oracle);
