//! Begins logins until there is no handle left.

use hostile_kit::{Failure, Given, Hostile, Scram, credential};
use std::mem::forget;

#[derive(Default)]
struct Logins;

impl Hostile for Logins {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        let password = credential("password")?;
        loop {
            forget(Scram::new(&password, "sha-256", "user", None));
        }
    }
}

hostile_kit::hostile!(Logins);
