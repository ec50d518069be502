//! What needs no network: loops, memory, stack, traps.

use crate::railhead::plugin::host;
use std::hint::black_box;

pub fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Touches what it takes, or a host that maps lazily would not notice. Ends in an abort when nothing more is given.
pub fn memory() -> ! {
    let mut taken: Vec<Vec<u8>> = Vec::new();
    loop {
        taken.push(black_box(vec![1; 1 << 20]));
    }
}

#[expect(unconditional_recursion, reason = "that is the point")]
pub fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 32]);
    recurse(depth + 1).wrapping_add(frame[black_box(7)])
}

pub fn trap() -> ! {
    panic!("misbehave: trapped on purpose")
}

pub fn big(amount: Option<usize>) -> String {
    "x".repeat(amount.unwrap_or(16 << 20))
}

pub fn flood(amount: Option<usize>) {
    let line = "x".repeat(1024);
    for number in 0..amount.unwrap_or(100_000) {
        host::log("info", &line, &[("number".to_owned(), number.to_string())]);
    }
}
