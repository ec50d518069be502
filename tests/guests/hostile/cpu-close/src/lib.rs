//! Delivers as it should, and does not let go when it is told to close.

use hostile_kit::{Failure, Given, Hostile};
use std::hint::black_box;

#[derive(Default)]
struct Close;

impl Hostile for Close {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        Ok("Closing will take a while.".to_owned())
    }

    fn close(&self) {
        loop {
            black_box(self);
        }
    }
}

hostile_kit::hostile!(Close);
