//! Writes what is placed in requests of HTTP into a frame.

use hostile_kit::{Encoding, Failure, Given, Hostile, Part, credential};

#[derive(Default)]
struct Frame;

impl Hostile for Frame {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let connection = given.connect()?;
        connection.write(&[Part::Secret((&credential("api_key")?, Encoding::Raw))])?;
        Ok(String::from_utf8_lossy(&connection.read(1024, 60_000)?).into_owned())
    }
}

hostile_kit::hostile!(Frame);
