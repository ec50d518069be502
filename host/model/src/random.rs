//! Where randomness comes from that nobody may guess: a parameter, so that tests repeat.

use rand::Rng as _;

/// Fills bytes that nobody can guess.
pub trait Random: Send + Sync + 'static {
    /// Fills all of `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// A generator per thread, seeded and reseeded by the operating system (ChaCha12, `rand`'s `ThreadRng`).
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[allow(clippy::disallowed_methods)] // the one place where production randomness enters
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}

impl SystemRandom {
    /// So many random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}
