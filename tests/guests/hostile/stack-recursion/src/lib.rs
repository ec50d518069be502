//! Calls itself without end.

use hostile_kit::{Failure, Given, Hostile};
use std::hint::black_box;

#[derive(Default)]
struct Recursion;

fn deeper(depth: u64) -> u64 {
    if black_box(depth) == u64::MAX {
        return depth;
    }
    deeper(depth + 1).wrapping_add(1)
}

impl Hostile for Recursion {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        Ok(deeper(0).to_string())
    }
}

hostile_kit::hostile!(Recursion);
