//! Says the same word on the same events, over and over.

use hostile_kit::{Failure, Given, Hostile, Outcome, reason};

#[derive(Default)]
struct Settle;

impl Hostile for Settle {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let all = given.all().repeat(1_000);
        loop {
            given.call.settle(&all, &Outcome::Uncertain(reason("perhaps", "Perhaps it arrived.")));
        }
    }
}

hostile_kit::hostile!(Settle);
