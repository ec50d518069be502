//! Appends nothing, in fifty thousand pieces at a time: each is empty, and each has to be held.

use hostile_kit::{Failure, Given, Hostile, Part, text};

#[derive(Default)]
struct Pieces;

impl Hostile for Pieces {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let request = given.post("/");
        let nothing: Vec<Part<'_>> = (0..50_000).map(|_| text("")).collect();
        loop {
            request.body(&nothing)?;
        }
    }
}

hostile_kit::hostile!(Pieces);
