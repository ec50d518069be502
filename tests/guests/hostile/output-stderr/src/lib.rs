//! Logs past the log: on the standard error that a panic would use.

use hostile_kit::{Failure, Given, Hostile};

#[derive(Default)]
struct Stderr;

impl Hostile for Stderr {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        for _ in 0..1_000 {
            eprintln!("{}", "x".repeat(1 << 10));
        }
        Ok("It said a lot.".to_owned())
    }
}

hostile_kit::hostile!(Stderr);
