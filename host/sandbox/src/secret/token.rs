//! Bearers made of a secret: handles with a bounded life, whose text never reaches a guest.

mod jwt;
mod sas;

pub(crate) use jwt::jwt;
pub(crate) use sas::azure_sas;

use zeroize::Zeroizing;

/// Seconds that a token lives at most: what Google takes, and less than any other service that we know.
pub(crate) const MAX_LIFE_S: i64 = 3_600;
/// Bytes of each text that a token is made of: what one header can hold.
const MAX_TEXT: usize = 16 * 1024;

/// See the module.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) text: Zeroizing<String>,
    /// From now on.
    pub(crate) life_s: i64,
}

/// Why a token cannot be made. Holds nothing of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refused {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    fn life() -> Self {
        Self::new("token-life", format!("A token lives for 1 to {MAX_LIFE_S} seconds from now."))
    }
}

#[cfg(test)]
mod tests;
