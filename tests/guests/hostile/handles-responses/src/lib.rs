//! Keeps every answer, of a quarter of a megabyte each.

use hostile_kit::{Failure, Given, Hostile, http};
use std::mem::forget;

#[derive(Default)]
struct Responses;

impl Hostile for Responses {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        loop {
            forget(http::send(given.post("/large"))?);
        }
    }
}

hostile_kit::hostile!(Responses);
