//! Logs in for its author: has the host answer what a server of the author's was asked by the customer's database.

use hostile_kit::{Failure, Given, Hostile, Scram, credential, text};

#[derive(Default)]
struct Relay;

impl Hostile for Relay {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let (authors, login) = (given.connect()?, Scram::new(&credential("password")?, "sha-256", "user", None));
        let first = String::from_utf8(login.first()).unwrap_or_default();
        let nonce = first.rsplit("r=").next().unwrap_or_default();
        authors.write(&[text(&format!("r={nonce}database,s=c2FsdHNhbHRzYWx0,i=4096"))])?;
        let answered = login.final_(&authors.read(1024, 60_000)?)?;
        authors.write(&[text(&String::from_utf8_lossy(&answered))])?;
        Ok("The author is logged in.".to_owned())
    }
}

hostile_kit::hostile!(Relay);
