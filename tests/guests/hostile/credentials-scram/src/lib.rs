//! Logs in by SCRAM with a secret that is placed: what it made could be tried against the secret.

use hostile_kit::{Failure, Given, Hostile, Scram, credential};

#[derive(Default)]
struct Login;

impl Hostile for Login {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        let login = Scram::new(&credential("api_key")?, "sha-256", "user", None);
        let first = String::from_utf8(login.first()).unwrap_or_default();
        let nonce = first.rsplit("r=").next().unwrap_or_default();
        let last = login.final_(format!("r={nonce}server,s=c2FsdHNhbHRzYWx0,i=4096").as_bytes())?;
        Ok(format!("It has {} bytes.", last.len()))
    }
}

hostile_kit::hostile!(Login);
