//! Takes four gigabytes with one instruction, before anything is asked of it.

use hostile_kit::Hostile;

#[derive(Default)]
struct Open;

impl Hostile for Open {
    fn open(&self) {
        core::arch::wasm32::memory_grow::<0>(u16::MAX.into());
    }
}

hostile_kit::hostile!(Open);
