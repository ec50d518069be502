//! Has the host salt a password as often as a server may ask, again and again.

use hostile_kit::{Failure, Given, Hostile, Scram, credential, text};

#[derive(Default)]
struct Logins;

impl Hostile for Logins {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let (connection, password) = (given.connect()?, credential("password")?);
        for number in 1_000.. {
            let login = Scram::new(&password, "sha-512", "user", None);
            let first = String::from_utf8(login.first()).unwrap_or_default();
            let nonce = first.rsplit("r=").next().unwrap_or_default();
            let asked = format!("r={nonce}server,s=c2FsdHNhbHRz{number},i=100000");
            connection.write(&[text(&asked)])?;
            let mut heard = Vec::new();
            while heard.len() < asked.len() {
                heard.extend(connection.read(1024, 60_000)?);
            }
            login.final_(&heard)?;
        }
        Ok("It had enough.".to_owned())
    }
}

hostile_kit::hostile!(Logins);
