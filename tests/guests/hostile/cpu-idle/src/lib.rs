//! Delivers as it should, and burns time between calls, when nobody waits for it.

use hostile_kit::{Failure, Given, Hostile};
use std::hint::black_box;

#[derive(Default)]
struct Idle;

impl Hostile for Idle {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        given.post("/").query("n", &[])?;
        Ok("It was quick.".to_owned())
    }

    fn idle(&self) -> bool {
        loop {
            black_box(self);
        }
    }
}

hostile_kit::hostile!(Idle);
