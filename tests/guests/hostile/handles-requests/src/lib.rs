//! Makes requests and never lets one go.

use hostile_kit::{Failure, Given, Hostile};
use std::mem::forget;

#[derive(Default)]
struct Requests;

impl Hostile for Requests {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        loop {
            forget(given.post("/"));
        }
    }
}

hostile_kit::hostile!(Requests);
