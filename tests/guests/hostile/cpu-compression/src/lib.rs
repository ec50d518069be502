//! Has the host work for it: a megabyte of noise, compressed as hard as it can be, again and again.

use hostile_kit::{Failure, Given, Hostile, host};

#[derive(Default)]
struct Compression;

fn next(state: &mut u32) -> u8 {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    state.to_be_bytes()[0]
}

impl Hostile for Compression {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        let mut state = 1_u32;
        let noise: Vec<u8> = (0..1 << 20).map(|_| next(&mut state)).collect();
        loop {
            host::compress("gzip", 9, &noise)?;
        }
    }
}

hostile_kit::hostile!(Compression);
