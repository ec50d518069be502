//! Takes memory and touches it, until it is given no more.

use hostile_kit::{Failure, Given, Hostile};
use std::hint::black_box;

#[derive(Default)]
struct Grow;

impl Hostile for Grow {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        let mut taken = Vec::new();
        loop {
            taken.push(black_box(vec![1_u8; 1 << 20]));
        }
    }
}

hostile_kit::hostile!(Grow);
