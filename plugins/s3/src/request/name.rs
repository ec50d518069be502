//! What stands in a key for a value of an event.

use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// Stands before a mark. It is `%21` in all other values, so that no value looks like a shortened one.
const BEFORE_MARK: char = '!';

/// A value as Hive writes partitions: what could end a segment, or be one that clients resolve, as `%XX`. One with more
/// than `most` bytes is its beginning and a mark, which tells it from all others.
pub fn value(text: &str, most: usize) -> String {
    let whole = escaped(text, usize::MAX);
    if whole.len() <= most {
        return whole;
    }
    let mark = format!("{BEFORE_MARK}{}", mark(Sha256::new().chain_update(text)));
    escaped(text, most.saturating_sub(mark.len())) + &mark
}

/// 128 bits of a digest.
pub fn mark(digest: Sha256) -> String {
    digest.finalize().iter().take(16).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// So many of its first characters as fit: none is cut.
fn escaped(text: &str, most: usize) -> String {
    let mut value = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        let length = value.len();
        let plain = character.is_ascii_alphanumeric() || matches!(character, '-' | '_') || (character == '.' && at > 0);
        if plain {
            value.push(character);
        } else {
            character.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| {
                let _ = write!(value, "%{byte:02X}");
            });
        }
        if value.len() > most {
            value.truncate(length);
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::value;
    use std::collections::HashSet;

    #[test]
    fn a_value_that_fits_is_whole() {
        assert_eq!(value("order.created", 13), "order.created");
        assert_eq!(value("..", 255), "%2E.");
        assert_eq!(value("!é", 9), "%21%C3%A9");
    }

    #[test]
    fn a_value_that_is_too_long_is_shortened_and_marked() {
        // printf order.created | sha256sum
        assert_eq!(value("order.created", 12), "!a9a59a2f7a3820814e5ba72aa108fe0a", "however little room there is");
        let long = "ж".repeat(256);
        let short = value(&long, 100);
        assert!(short.len() <= 100 && short.starts_with(&"%D0%B6".repeat(11)), "{short}");
        assert!(short[66..].starts_with('!'), "no character is cut: {short}");
        assert_eq!(short, value(&long, 100));
    }

    #[test]
    fn no_two_values_become_one() {
        let long = "a".repeat(300);
        let texts: Vec<_> = (0..300).map(|n| format!("{long}{n}")).chain([value(&long, 200), long.clone()]).collect();
        let values: HashSet<_> = texts.iter().map(|text| value(text, 200)).collect();
        assert_eq!(values.len(), texts.len());
        assert!(values.iter().all(|value| value.len() <= 200));
    }
}
