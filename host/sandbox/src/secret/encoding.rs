//! How a secret, or a signature, is written where it stands.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// How bytes are written (WIT `encoding`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// As they are.
    Raw,
    /// RFC 4648, padded.
    Base64,
    /// RFC 4648 URL-safe alphabet, not padded.
    Base64url,
    /// Lower case.
    Hex,
    /// All but RFC 3986 unreserved characters as `%XX`.
    Percent,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// The inside of a JSON string.
    Json,
    /// XML character data or attribute value.
    Xml,
}

/// Writes bytes in an encoding. What is not UTF-8 is replaced in `json` and `xml`, which are made of characters.
#[must_use]
pub fn encode(bytes: &[u8], encoding: Encoding) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(match encoding {
        Encoding::Raw => bytes.to_vec(),
        Encoding::Base64 => STANDARD.encode(bytes).into_bytes(),
        Encoding::Base64url => URL_SAFE_NO_PAD.encode(bytes).into_bytes(),
        Encoding::Hex => hex::encode(bytes).into_bytes(),
        Encoding::Percent => percent(bytes),
        Encoding::Form => url::form_urlencoded::byte_serialize(bytes).collect::<String>().into_bytes(),
        Encoding::Json => json(&String::from_utf8_lossy(bytes)),
        Encoding::Xml => xml(&String::from_utf8_lossy(bytes)),
    })
}

/// Padded base64, for public things.
pub(super) fn base64_of(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn percent(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = Vec::with_capacity(bytes.len() * 3);
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte);
        } else {
            out.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
    out
}

fn json(text: &str) -> Vec<u8> {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().as_bytes().to_vec()
}

fn xml(text: &str) -> Vec<u8> {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            other => out.push(other),
        }
    }
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_writes_what_its_standard_says() {
        let secret = b"a+/\"<&' \xc3\xa9?";
        let written = |encoding| String::from_utf8(encode(secret, encoding).to_vec()).unwrap();
        assert_eq!(written(Encoding::Raw), "a+/\"<&' é?");
        assert_eq!(written(Encoding::Base64), "YSsvIjwmJyDDqT8=");
        assert_eq!(written(Encoding::Base64url), "YSsvIjwmJyDDqT8");
        assert_eq!(written(Encoding::Hex), "612b2f223c262720c3a93f");
        assert_eq!(written(Encoding::Percent), "a%2B%2F%22%3C%26%27%20%C3%A9%3F");
        assert_eq!(written(Encoding::Form), "a%2B%2F%22%3C%26%27+%C3%A9%3F");
        assert_eq!(written(Encoding::Json), "a+/\\\"<&' é?");
        assert_eq!(written(Encoding::Xml), "a+/&quot;&lt;&amp;&apos; é?");
    }
}
