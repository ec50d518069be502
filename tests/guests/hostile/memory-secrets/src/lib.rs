//! Writes a composed secret a thousand times at once, and then more different ones than the host looks for.

use hostile_kit::{Credential, Encoding, Failure, Given, Hostile, Part, credential, credentials, text};

#[derive(Default)]
struct Secrets;

impl Hostile for Secrets {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let (connection, password) = (given.connect()?, credential("password")?);
        connection.write(&[text("sink\n")])?;
        let long = composed(&password, &"x".repeat(4 * 1024))?;
        let often: Vec<Part<'_>> = (0..1_000).map(|_| secret(&long)).collect();
        connection.write(&often)?;
        let all = (0..100).map(|number| composed(&password, &format!("{number}:"))).collect::<Result<Vec<_>, _>>()?;
        let parts: Vec<Part<'_>> = all.iter().map(secret).collect();
        connection.write(&parts)?;
        Ok("It was written.".to_owned())
    }
}

fn composed(password: &Credential, before: &str) -> Result<Credential, Failure> {
    credentials::compose(&[text(before), secret(password)], Encoding::Raw)
}

fn secret(of: &Credential) -> Part<'_> {
    Part::Secret((of, Encoding::Raw))
}

hostile_kit::hostile!(Secrets);
