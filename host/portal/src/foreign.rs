//! Text that somebody else wrote: an event, a destination, a connector. It is only ever text.

use serde::Deserialize;
use std::fmt::{self, Write as _};

/// Foreign text. Shown, it is one line, bounded, its control characters visible; templates escape it besides.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Foreign(pub String);

/// Characters of a line that are shown.
const MAX_LINE: usize = 300;
/// Characters of a long line that are shown.
const MAX_LONG: usize = 8 * 1024;
/// Characters of a text that are shown.
const MAX_TEXT: usize = 128 * 1024;

impl Foreign {
    /// As one step of a path.
    #[must_use]
    pub fn step(&self) -> String {
        encode(&self.0)
    }

    /// As a text of several lines.
    #[must_use]
    pub fn text(&self) -> Shown<'_> {
        Shown { text: &self.0, max: MAX_TEXT, lines: true }
    }

    /// As one long line, such as a header's value.
    #[must_use]
    pub fn line(&self) -> Shown<'_> {
        Shown { text: &self.0, max: MAX_LONG, lines: false }
    }

    /// The text itself: to compare with, never to show.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The colour of a state, an end or an outcome: the name of a class of ours, whatever the text is.
    #[must_use]
    pub fn tone(&self) -> &'static str {
        match self.0.as_str() {
            "delivered" | "active" => "good",
            "dead" | "failing" | "permanent" | "misconfigured" | "rejected_credentials" | "expired" => "bad",
            "retrying" | "transient" | "throttled" | "uncertain" | "too_large" | "disabled" => "warn",
            "pending" | "paused" | "untried" => "busy",
            _ => "quiet",
        }
    }
}

impl From<&str> for Foreign {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown { text: &self.0, max: MAX_LINE, lines: false }.fmt(f)
    }
}

/// Foreign text on its way to a page.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    text: &'a str,
    max: usize,
    lines: bool,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.text.chars();
        for c in characters.by_ref().take(self.max) {
            match c {
                '\n' | '\t' if self.lines => f.write_char(c)?,
                // The control pictures stand in the order of what they show.
                '\0'..='\x1f' => f.write_char(char::from_u32(0x2400 + u32::from(c)).unwrap_or('␀'))?,
                '\x7f' => f.write_char('␡')?,
                c if is_hidden(c) => write!(f, "⟨U+{:04X}⟩", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        match characters.count() {
            0 => Ok(()),
            more if self.lines => write!(f, "… ({more} more characters)"),
            _ => f.write_char('…'),
        }
    }
}

/// Characters that show as nothing, or that turn the text around them: they could make one thing look like another.
const fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'
        | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Percent-encodes all but unreserved characters (RFC 3986).
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_and_what_hides_or_turns_text_show() {
        let line = Foreign::from("a\r\n\t\0\x1b[31m\u{7f}\u{202e}txt\u{200b}\u{85}ü");
        assert_eq!(line.to_string(), "a␍␊␉␀␛[31m␡⟨U+202E⟩txt⟨U+200B⟩⟨U+0085⟩ü");
        assert_eq!(Foreign::from("{\n\t1\r\u{feff}}").text().to_string(), "{\n\t1␍⟨U+FEFF⟩}");
    }

    #[test]
    fn lines_and_texts_are_bounded() {
        let long = Foreign("ü".repeat(MAX_TEXT + 7));
        assert_eq!(long.to_string().chars().count(), MAX_LINE + 1);
        assert!(long.text().to_string().ends_with("ü… (7 more characters)"));
    }

    #[test]
    fn a_step_of_a_path_stays_one_step() {
        assert_eq!(Foreign::from("../a b/ü?#%").step(), "..%2Fa%20b%2F%C3%BC%3F%23%25");
    }
}
