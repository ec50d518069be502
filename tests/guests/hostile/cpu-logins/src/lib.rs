//! Has the host salt a password as often as a server may ask, again and again.

use hostile_kit::{Failure, Given, Hostile, Scram, credential};

#[derive(Default)]
struct Logins;

impl Hostile for Logins {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        let password = credential("password")?;
        for number in 1_000.. {
            let login = Scram::new(&password, "sha-512", "user", None);
            let first = String::from_utf8(login.first()).unwrap_or_default();
            let nonce = first.rsplit("r=").next().unwrap_or_default();
            login.final_(format!("r={nonce}server,s=c2FsdHNhbHRz{number},i=600000").as_bytes())?;
        }
        Ok("It had enough.".to_owned())
    }
}

hostile_kit::hostile!(Logins);
