//! Has a secret come back from a server in single bytes, to put it together.

use hostile_kit::{Encoding, Failure, Given, Hostile, Part, credential, text};

#[derive(Default)]
struct Pieces;

impl Hostile for Pieces {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let connection = given.connect()?;
        connection.write(&[text("slow\n"), Part::Secret((&credential("password")?, Encoding::Raw)), text("\n")])?;
        let mut all = Vec::new();
        while !all.ends_with(b"\n") {
            let more = connection.read(1, 60_000)?;
            if more.is_empty() {
                break;
            }
            all.extend(more);
        }
        let shown = all.iter().take_while(|byte| **byte != b'*').count();
        let masked = all.iter().filter(|byte| **byte == b'*').count();
        Ok(format!(
            "{} bytes, more than seven of them shown: {}.",
            all.len(),
            shown > 7 || masked + shown + 1 < all.len()
        ))
    }
}

hostile_kit::hostile!(Pieces);
