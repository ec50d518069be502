//! Writes ever new keys into its cache and does not care that it is full.

use hostile_kit::{Failure, Given, Hostile, host};

#[derive(Default)]
struct Cache;

impl Hostile for Cache {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        for number in 0_u64.. {
            // Refusals are what it is after.
            let _ = host::cache_put(&number.to_string(), b"", 60_000);
        }
        Ok("It is full.".to_owned())
    }
}

hostile_kit::hostile!(Cache);
