//! Keeps nothing itself: it has the host hold the bodies of requests that it never sends.

use hostile_kit::{Failure, Given, Hostile, text};

#[derive(Default)]
struct Requests;

impl Hostile for Requests {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let piece = "x".repeat(1 << 20);
        let mut requests = Vec::new();
        loop {
            let request = given.post("/");
            for _ in 0..32 {
                request.body(&[text(&piece)])?;
            }
            requests.push(request);
        }
    }
}

hostile_kit::hostile!(Requests);
