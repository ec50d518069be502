//! Writes to the customer's page: escapes of a terminal, line breaks, markup, text that runs backwards, a code that is none.

use hostile_kit::{Failure, Given, Hostile, Kind};

#[derive(Default)]
struct Controls;

impl Hostile for Controls {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        let message = "\u{1b}[2J\u{7}\r\n<script>alert(1)</script>\0\u{202e}deyap\u{2028}\u{9b}31m";
        Err(Failure { kind: Kind::Other, code: "'; DROP TABLE event; --".to_owned(), message: message.to_owned() })
    }
}

hostile_kit::hostile!(Controls);
