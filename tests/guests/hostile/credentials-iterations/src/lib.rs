//! Has a password salted once instead of thousands of times, to guess it from what comes out.

use hostile_kit::{Failure, Given, Hostile, Scram, credential};

#[derive(Default)]
struct Iterations;

impl Hostile for Iterations {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        let login = Scram::new(&credential("password")?, "sha-256", "user", None);
        let first = String::from_utf8(login.first()).unwrap_or_default();
        let nonce = first.rsplit("r=").next().unwrap_or_default();
        let last = login.final_(format!("r={nonce}server,s=c2FsdHNhbHRzYWx0,i=1").as_bytes())?;
        Ok(String::from_utf8(last).unwrap_or_default())
    }
}

hostile_kit::hostile!(Iterations);
