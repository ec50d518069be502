//! Custom sections of a WebAssembly binary: one is appended, found again, or lifted out of what is nested.
//!
//! A component is a preamble of eight bytes and then sections: an id byte, the length of the contents as LEB128, the
//! contents. Id 0 is a custom section: its contents are a name (length, UTF-8) and bytes of whoever put them there.
//! One may stand anywhere between others, so at the end too.

use std::fmt;

const CUSTOM: u8 = 0;
/// Sections of a component that hold a whole binary again: a core module, a component.
const NESTED: [u8; 2] = [1, 4];
const PREAMBLE: usize = 8;
const MAGIC: &[u8] = b"\0asm";
/// What follows the magic in a component; a core module has version 1, layer 0.
const COMPONENT: &[u8] = &[0x0d, 0, 1, 0];
/// Components in components that are looked into: compilers make one or two. What is copied is bounded by it too.
const MAX_DEPTH: usize = 16;

/// The bytes are not a sequence of sections, or these lie too deep in each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a WebAssembly binary, cut off, or nested too deep")
    }
}

impl std::error::Error for Malformed {}

/// Appends a custom section to a component.
pub fn append(component: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    let mut contents = Vec::with_capacity(name.len() + bytes.len() + 5);
    push_leb128(&mut contents, name.len());
    contents.extend_from_slice(name.as_bytes());
    contents.extend_from_slice(bytes);
    push_section(component, CUSTOM, &contents);
}

/// Takes every custom section of that name out of a component, the modules and components in it too: what is left, and the
/// bytes of each, the outermost last.
///
/// # Errors
/// [`Malformed`] where the sections do not end with the bytes, or lie more than 16 deep.
pub fn take(component: &[u8], name: &str) -> Result<(Vec<u8>, Vec<Vec<u8>>), Malformed> {
    let mut found = Vec::new();
    let rest = without(component, name, &mut found, MAX_DEPTH)?;
    Ok((rest, found))
}

/// `deeper`: so many binaries may lie in each other below this one.
fn without(binary: &[u8], name: &str, found: &mut Vec<Vec<u8>>, deeper: usize) -> Result<Vec<u8>, Malformed> {
    let (preamble, mut rest) = binary.split_at_checked(PREAMBLE).ok_or(Malformed)?;
    let layer = preamble.strip_prefix(MAGIC).ok_or(Malformed)?;
    let mut left = preamble.to_vec();
    let mut own = Vec::new();
    while let Some((&id, after)) = rest.split_first() {
        let (contents, next) = take_sized(after)?;
        rest = next;
        if id == CUSTOM {
            let (section, bytes) = take_sized(contents)?;
            if section == name.as_bytes() {
                own.push(bytes.to_vec());
                continue;
            }
        }
        if layer == COMPONENT && NESTED.contains(&id) {
            let deeper = deeper.checked_sub(1).ok_or(Malformed)?;
            push_section(&mut left, id, &without(contents, name, found, deeper)?);
        } else {
            push_section(&mut left, id, contents);
        }
    }
    found.append(&mut own);
    Ok(left)
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

fn push_section(to: &mut Vec<u8>, id: u8, contents: &[u8]) {
    to.push(id);
    push_leb128(to, contents.len());
    to.extend_from_slice(contents);
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
mod tests;
