//! Settles events that there are not, a million times at once, and one event twice.

use hostile_kit::{Failure, Given, Hostile, Outcome, reason};

#[derive(Default)]
struct Settled;

impl Hostile for Settled {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let nowhere = vec![u32::MAX; 500_000];
        given.call.settle(&nowhere, &Outcome::Untried);
        given.call.settle(&[0, 0, 0], &Outcome::Throttled((reason("first", "The first word."), u64::MAX)));
        given.call.settle(&[0], &Outcome::RejectedCredentials(reason("second", "The second word.")));
        Ok("All others.".to_owned())
    }
}

hostile_kit::hostile!(Settled);
