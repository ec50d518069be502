//! Guesses: what the host masks in an echo is the secret. It knows all of it but the last letter.
//!
//! The right guess, whole, is masked like the secret itself, so a guest that makes it can tell: nothing can be masked without
//! that. What it must not learn is whether a part of a guess is right: it has to have the whole secret already, and pays a
//! request for every value that it might be.

use hostile_kit::{Failure, Given, Hostile, body, http, text};

const KNOWN: &str = "canary-text-0123456789-";

#[derive(Default)]
struct Oracle;

impl Hostile for Oracle {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let (mut whole, mut parts) = (0, 0);
        for letter in 'a'..='z' {
            whole += usize::from(is_told_apart(given, &format!("{KNOWN}{letter}"))?);
            parts += usize::from(is_told_apart(given, KNOWN)?);
        }
        Ok(format!("Told apart: {whole} of 26 whole guesses, {parts} of 26 parts."))
    }
}

/// True if it does not come back as it was sent.
fn is_told_apart(given: &Given<'_>, guess: &str) -> Result<bool, Failure> {
    let request = given.post("/echo");
    request.body(&[text(guess)])?;
    Ok(body(&http::send(request)?) != guess)
}

hostile_kit::hostile!(Oracle);
