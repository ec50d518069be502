//! Asks for the same credential until there is no handle left.

use hostile_kit::{Failure, Given, Hostile, credentials};
use std::mem::forget;

#[derive(Default)]
struct Credentials;

impl Hostile for Credentials {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        loop {
            forget(credentials::get("api_key")?);
        }
    }
}

hostile_kit::hostile!(Credentials);
