//! Opens a thousand connections and keeps them.

use hostile_kit::{Failure, Given, Hostile};

#[derive(Default)]
struct Connections;

impl Hostile for Connections {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let mut kept = Vec::new();
        for _ in 0..1_000 {
            kept.push(given.connect()?);
        }
        Ok(format!("It has {}.", kept.len()))
    }
}

hostile_kit::hostile!(Connections);
