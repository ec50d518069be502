//! Shows a megabyte as what it sent, and again, for every event.

use hostile_kit::{Failure, Given, Hostile};

#[derive(Default)]
struct Shown;

impl Hostile for Shown {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let shown = vec![b'x'; 1 << 20];
        for _ in 0..64 {
            given.call.show(&given.all(), "text/plain", &shown, &shown);
        }
        Ok("It was shown.".to_owned())
    }
}

hostile_kit::hostile!(Shown);
