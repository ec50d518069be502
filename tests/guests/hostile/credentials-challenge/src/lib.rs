//! Has the host sign the beginning of a token as if it were a challenge of SSH.

use hostile_kit::{Failure, Given, Hostile, credential, credentials};

#[derive(Default)]
struct Challenge;

impl Hostile for Challenge {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        // {"alg":"EdDSA"}.{"exp":4102444800}
        let message = b"eyJhbGciOiJFZERTQSJ9.eyJleHAiOjQxMDI0NDQ4MDB9";
        let signature = credentials::sign_challenge(&credential("key")?, "ed25519", message)?;
        Ok(format!("It has {} bytes.", signature.len()))
    }
}

hostile_kit::hostile!(Challenge);
