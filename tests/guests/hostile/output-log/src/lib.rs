//! Logs a hundred megabytes.

use hostile_kit::{Failure, Given, Hostile, host};

#[derive(Default)]
struct Log;

impl Hostile for Log {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        let line = "x".repeat(10 << 10);
        for _ in 0..10_000 {
            host::log("info", &line, &[]);
        }
        Ok("It said a lot.".to_owned())
    }
}

hostile_kit::hostile!(Log);
