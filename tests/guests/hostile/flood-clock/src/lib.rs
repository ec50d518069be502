//! Asks what time it is, for ever: hardly any of the time passes in the guest.

use hostile_kit::{Failure, Given, Hostile};
use std::hint::black_box;

#[derive(Default)]
struct Clock;

impl Hostile for Clock {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        loop {
            black_box(given.call.now_ms());
        }
    }
}

hostile_kit::hostile!(Clock);
