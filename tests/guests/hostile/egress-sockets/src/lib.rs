//! Opens a socket of its own, as any program would.

use hostile_kit::{Failure, Given, Hostile};
use std::net::TcpStream;

#[derive(Default)]
struct Sockets;

impl Hostile for Sockets {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let other = given.setting("other");
        let connected = TcpStream::connect(other.trim_start_matches("http://"));
        Ok(format!("Connected: {}.", connected.is_ok()))
    }
}

hostile_kit::hostile!(Sockets);
