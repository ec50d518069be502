//! The end of what was read of a connection: what a challenge must have stood in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{Buf as _, BytesMut};
use memchr::memmem;

/// Bytes that are remembered: SCRAM messages have 4 KiB at most, and some protocols send them in base64.
const REMEMBERED: usize = 8 * 1024;

/// See the module. What stands in it was masked.
#[derive(Default)]
pub(crate) struct Recent(BytesMut);

impl Recent {
    pub(super) fn add(&mut self, read: &[u8]) {
        let read = read.get(read.len().saturating_sub(REMEMBERED)..).unwrap_or_default();
        self.0.advance((self.0.len() + read.len()).saturating_sub(REMEMBERED));
        self.0.extend_from_slice(read);
    }

    /// True if a message stood in it, as it is or in base64.
    pub(crate) fn has(&self, message: &[u8]) -> bool {
        self.end_of(message).is_some() || memmem::find(&self.0, STANDARD_NO_PAD.encode(message).as_bytes()).is_some()
    }

    /// True if these two stood in it, the second anywhere behind the first.
    pub(crate) fn has_both(&self, first: &[u8], second: &[u8]) -> bool {
        let rest = self.end_of(first).and_then(|end| self.0.get(end..));
        rest.is_some_and(|rest| memmem::find(rest, second).is_some())
    }

    fn end_of(&self, message: &[u8]) -> Option<usize> {
        memmem::find(&self.0, message).map(|at| at + message.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_what_was_read_is_remembered() {
        let mut recent = Recent::default();
        recent.add(b"R....r=nonce,s=sa");
        recent.add(b"lt,i=4096");
        assert!(recent.has(b"r=nonce,s=salt,i=4096") && !recent.has(b"r=nonce,s=salt,i=4097"));
        assert!(recent.has_both(b"nonce", b"salt") && !recent.has_both(b"salt", b"nonce"));
        recent.add(&vec![b'x'; REMEMBERED - 20]);
        assert!(!recent.has(b"r=nonce,s=salt,i=4096") && recent.has(b"i=4096"));
        recent.add(&vec![b'y'; 3 * REMEMBERED]);
        assert_eq!((recent.0.len(), recent.0.iter().all(|byte| *byte == b'y')), (REMEMBERED, true));
    }

    #[test]
    fn a_message_may_have_come_in_base64() {
        let mut recent = Recent::default();
        recent.add(b"334 cj1ub25jZSxzPXNhbHQsaT00MDk2\r\n+ cj1hLHM9YiE=\r\n");
        assert!(recent.has(b"r=nonce,s=salt,i=4096") && recent.has(b"r=a,s=b!") && !recent.has(b"r=other"));
    }
}
