//! Writes a secret to a server that its field is not bound to.

use hostile_kit::{Encoding, Failure, Given, Hostile, Part, credential};

#[derive(Default)]
struct Elsewhere;

impl Hostile for Elsewhere {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let connection = given.connect()?;
        connection.write(&[Part::Secret((&credential("password")?, Encoding::Raw))])?;
        Ok(String::from_utf8_lossy(&connection.read(1024, 60_000)?).into_owned())
    }
}

hostile_kit::hostile!(Elsewhere);
