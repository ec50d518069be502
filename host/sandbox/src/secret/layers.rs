//! How often a secret is encoded in what is made of it: never so that its masker would miss it.
//!
//! A masker looks for each secret by itself, for as long as its field has it. So what a guest has composed and sent to one
//! place must still be recognized when another request, or another session, reads it back there.

use super::spelling::MAX_NESTED;
use super::{Encoding, encode};

/// See the module. Each bit is one way in which a piece is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layers(u8);

impl Default for Layers {
    fn default() -> Self {
        Self::PLAIN
    }
}

impl Layers {
    /// As it is.
    pub(crate) const PLAIN: Self = Self(1);
    /// With escapes, which maskers see through.
    const ESCAPED: u8 = 2;
    /// In base64 or hex, of the value as it is or with escapes.
    const ENCODED: u8 = 4;
    /// Nothing may be written over it.
    const LAST: u8 = 8;

    /// Those of several pieces.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// With one more encoding over these bytes; `None` where a masker would not find what is in it.
    pub(crate) fn then(self, encoding: Encoding, bytes: &[u8]) -> Option<Self> {
        if encoding == Encoding::Raw || (self == Self::PLAIN && bytes.is_empty()) {
            return Some(self);
        }
        let encodes = matches!(encoding, Encoding::Base64 | Encoding::Base64url | Encoding::Hex);
        if !encodes && encode(bytes, encoding).as_slice() == bytes {
            return Some(self);
        }
        let mut over = 0;
        for way in [Self::PLAIN.0, Self::ESCAPED, Self::ENCODED, Self::LAST].into_iter().filter(|way| self.0 & way != 0)
        {
            over |= match (way, encodes) {
                (1, true) | (Self::ESCAPED, true) => Self::ENCODED,
                (1, false) if bytes.len() <= MAX_NESTED => Self::ESCAPED,
                (1, false) | (Self::ENCODED, false) => Self::LAST,
                _ => return None,
            };
        }
        Some(Self(over))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Masker, Secret};
    use super::*;
    use crate::secret::MASK;
    use Encoding::{Base64, Base64url, Form, Hex, Json, Percent, Raw, Xml};
    use railhead_model::manifest::CredentialUse;

    const ALL: [Encoding; 8] = [Raw, Base64, Base64url, Hex, Percent, Form, Json, Xml];

    /// Every way to write a secret that is allowed, three encodings deep, is found by a masker that knows the secret alone.
    #[test]
    fn whatever_is_allowed_is_found() {
        for value in ["plain0123456789", "p@ss/w+rd \"<\u{e9}>&'\\=", "0123456789=="] {
            let secret = Secret::derived("key", CredentialUse::Place, &[], value.as_bytes().to_vec());
            let masker = Masker::new([secret]);
            let (mut allowed, mut refused) = (0, 0);
            for (one, two, three) in ALL
                .iter()
                .flat_map(|one| ALL.iter().flat_map(move |two| ALL.iter().map(move |three| (*one, *two, *three))))
            {
                for before in ["", "u", "us"] {
                    let (mut layers, mut text) = (Some(Layers::PLAIN), value.as_bytes().to_vec());
                    for way in [one, two, three] {
                        layers = layers.and_then(|layers| layers.then(way, &text));
                        text = [before.as_bytes(), &encode(&text, way), b"."].concat();
                    }
                    if layers.is_none() {
                        refused += 1;
                        continue;
                    }
                    allowed += 1;
                    let text = String::from_utf8(text).unwrap();
                    assert!(masker.text(&text).contains(MASK), "{value} {one:?} {two:?} {three:?}: {text}");
                }
            }
            assert!(allowed > 300 && refused > 300, "{value}: {allowed} {refused}");
        }
    }

    #[test]
    fn base64_is_not_written_over_base64() {
        let once = Layers::PLAIN.then(Base64, b"0123456789").unwrap();
        for way in [Base64, Base64url, Hex] {
            assert_eq!(once.then(way, b"MDEyMzQ1Njc4OQ=="), None, "{way:?}");
        }
        assert_eq!(once.then(Raw, b"MDEyMzQ1Njc4OQ=="), Some(once));
        let basic = Layers::PLAIN.then(Form, b"a+b").and_then(|form| form.then(Base64, b"a%2Bb"));
        assert_eq!(basic, Some(once), "as RFC 6749, section 2.3.1, wants it");
        assert_eq!(Layers::PLAIN.and(once).then(Hex, b"x"), None, "one piece is enough");
    }
}
