//! Adds headers until the host has enough of them.

use hostile_kit::{Failure, Given, Hostile, text};

#[derive(Default)]
struct Headers;

impl Hostile for Headers {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let request = given.post("/");
        for number in 0.. {
            request.header(&format!("x-{number}"), &[text("1")])?;
        }
        Ok("There are many.".to_owned())
    }
}

hostile_kit::hostile!(Headers);
