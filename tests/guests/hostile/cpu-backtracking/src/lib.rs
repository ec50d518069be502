//! Matches `(a+)+b` by trying every way to cut a run of `a`: it would end, after 2^60 steps.

use hostile_kit::{Failure, Given, Hostile};
use std::hint::black_box;

#[derive(Default)]
struct Backtracking;

fn matches(text: &[u8]) -> bool {
    let run = text.iter().take_while(|byte| **byte == b'a').count();
    (1..=run).any(|group| &text[group..] == b"b" || matches(&text[group..]))
}

impl Hostile for Backtracking {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        Ok(format!("It matches: {}.", matches(black_box(&"a".repeat(60)).as_bytes())))
    }
}

hostile_kit::hostile!(Backtracking);
