//! Keeps the call that it was lent, and settles with it when it is over.

use hostile_kit::{Call, Failure, Given, Hostile, Outcome, reason};
use std::cell::Cell;

#[derive(Default)]
struct Keeper {
    kept: Cell<u32>,
}

impl Hostile for Keeper {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        self.kept.set(given.call.handle());
        Ok("It kept the call.".to_owned())
    }

    fn idle(&self) -> bool {
        // SAFETY: none. The call is over.
        let call = unsafe { Call::from_handle(self.kept.get()) };
        call.settle(&[0], &Outcome::Permanent(reason("too-late", "A last word.")));
        true
    }
}

hostile_kit::hostile!(Keeper);
