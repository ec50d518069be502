//! Overruns the stack that it keeps in its own memory, with frames of 64 KiB.

use hostile_kit::{Failure, Given, Hostile};
use std::hint::black_box;

#[derive(Default)]
struct Frame;

fn wide(depth: usize) -> usize {
    let frame = black_box([depth; 16 << 10]);
    if depth == usize::MAX { 0 } else { wide(depth + 1) + frame[black_box(depth % 100)] }
}

impl Hostile for Frame {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        Ok(wide(0).to_string())
    }
}

hostile_kit::hostile!(Frame);
