//! Never returns, and calls nothing of the host on the way.

use hostile_kit::{Failure, Given, Hostile};
use std::hint::black_box;

#[derive(Default)]
struct Loop;

impl Hostile for Loop {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        let mut turns = 0_u64;
        loop {
            turns = black_box(turns.wrapping_add(1));
        }
    }
}

hostile_kit::hostile!(Loop);
