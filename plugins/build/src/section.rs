//! Custom sections of a WebAssembly binary: one is appended, and found again.
//!
//! A component is a preamble of eight bytes and then sections: an id byte, the length of the contents as LEB128, the
//! contents. Id 0 is a custom section: its contents are a name (length, UTF-8) and bytes of whoever put them there.
//! One may stand anywhere between others, so at the end too.

use std::fmt;

const CUSTOM: u8 = 0;
const PREAMBLE: usize = 8;
const MAGIC: &[u8] = b"\0asm";

/// The bytes are not a sequence of sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a WebAssembly binary, or cut off")
    }
}

impl std::error::Error for Malformed {}

/// Appends a custom section to a component.
pub fn append(component: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    let mut contents = Vec::with_capacity(name.len() + bytes.len() + 5);
    push_leb128(&mut contents, name.len());
    contents.extend_from_slice(name.as_bytes());
    contents.extend_from_slice(bytes);
    component.push(CUSTOM);
    push_leb128(component, contents.len());
    component.extend_from_slice(&contents);
}

/// The bytes of the last custom section of that name at the outermost level, if there is one.
///
/// # Errors
/// [`Malformed`] where the sections do not end with the bytes.
pub fn find<'a>(component: &'a [u8], name: &str) -> Result<Option<&'a [u8]>, Malformed> {
    let preamble = component.get(..PREAMBLE).ok_or(Malformed)?;
    if !preamble.starts_with(MAGIC) {
        return Err(Malformed);
    }
    let mut rest = component.get(PREAMBLE..).ok_or(Malformed)?;
    let mut found = None;
    while let Some((&id, after)) = rest.split_first() {
        let (contents, next) = take_sized(after)?;
        if id == CUSTOM {
            let (section, bytes) = take_sized(contents)?;
            if section == name.as_bytes() {
                found = Some(bytes);
            }
        }
        rest = next;
    }
    Ok(found)
}

/// Splits off a length and as many bytes.
fn take_sized(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let (length, rest) = take_leb128(bytes)?;
    rest.split_at_checked(length).ok_or(Malformed)
}

fn push_leb128(to: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            to.push(low);
            return;
        }
        to.push(low | 0x80);
    }
}

/// A `u32` in at most five bytes, as the format has it.
fn take_leb128(bytes: &[u8]) -> Result<(usize, &[u8]), Malformed> {
    let mut value = 0_u64;
    for (at, &byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).map_err(|_| Malformed)?;
            let rest = bytes.get(at + 1..).ok_or(Malformed)?;
            return Ok((value as usize, rest));
        }
    }
    Err(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn what_was_appended_is_found() {
        for size in [0, 1, 127, 128, 16_384, 70_000] {
            let bytes = vec![0xa5; size];
            let mut component = EMPTY.to_vec();
            append(&mut component, "other", b"x");
            append(&mut component, "mine", &bytes);
            assert_eq!(find(&component, "mine"), Ok(Some(bytes.as_slice())));
            assert_eq!(find(&component, "absent"), Ok(None));
        }
    }

    #[test]
    fn a_length_is_least_significant_first() {
        let mut bytes = Vec::new();
        push_leb128(&mut bytes, 624_485);
        assert_eq!(bytes, [0xe5, 0x8e, 0x26]);
        assert_eq!(take_leb128(&bytes), Ok((624_485, &[][..])));
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        let mut component = EMPTY.to_vec();
        append(&mut component, "mine", b"0123456789");
        for length in 0..component.len() {
            // Only the preamble alone is whole.
            let refused = find(&component[..length], "mine") == Err(Malformed);
            assert_eq!(refused, length != EMPTY.len(), "{length} bytes");
        }
        assert_eq!(find(b"\x7fELF\x02\x01\x01\0", "mine"), Err(Malformed));
    }
}
