//! Connects to a server that it has no business with, written in other ways than its own.

use hostile_kit::{Connection, Failure, Given, Hostile, Security};

#[derive(Default)]
struct Stream;

impl Hostile for Stream {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let other = given.setting("other");
        let port = other.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(0);
        let mut codes = Vec::new();
        for host in ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"] {
            for security in [Security::Plain, Security::Upgrade, Security::Tls] {
                codes.extend(Connection::connect(host, port, security).err().map(|failure| failure.code));
            }
        }
        codes.sort();
        codes.dedup();
        Ok(codes.join(" "))
    }
}

hostile_kit::hostile!(Stream);
