//! Sends five hundred requests for one hand-over, all at once if it may.

use hostile_kit::{Failure, Given, Hostile, http};

#[derive(Default)]
struct Requests;

impl Hostile for Requests {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let requests = (0..500).map(|_| given.post("/")).collect();
        let answers = http::send_all(requests, u32::MAX);
        let answered = answers.iter().filter(|answer| answer.is_ok()).count();
        Ok(format!("{answered} answers."))
    }
}

hostile_kit::hostile!(Requests);
