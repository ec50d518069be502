//! What happened, as a hash always and as lines on demand.

use std::fmt::{self, Write as _};

/// FNV-1a over every line, so that two runs can be compared without keeping them.
pub struct Trace {
    hash: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    pub fn new(keep: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, lines: keep.then(Vec::new) }
    }

    pub fn note(&mut self, line: fmt::Arguments<'_>) {
        // Writing into the hash never fails.
        let _ = writeln!(self, "{line}");
        if let Some(lines) = &mut self.lines {
            lines.push(line.to_string());
        }
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    pub fn lines(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }
}

impl fmt::Write for Trace {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Ok(())
    }
}
