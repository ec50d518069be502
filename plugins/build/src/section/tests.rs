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

/// A component around a module, each with a section of that name.
fn nested(inner: &[&[u8]], outer: &[&[u8]]) -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    append(&mut module, "other", &[7; 200]);
    inner.iter().for_each(|bytes| append(&mut module, "mine", bytes));
    let mut component = EMPTY.to_vec();
    push_section(&mut component, 1, &module);
    outer.iter().for_each(|bytes| append(&mut component, "mine", bytes));
    component
}

#[test]
fn a_section_is_taken_out_of_what_is_nested() {
    for size in [0, 1, 127, 20_000] {
        let bytes = vec![0xa5; size];
        let (rest, found) = take(&nested(&[&bytes], &[]), "mine").unwrap();
        assert_eq!((rest, found), (nested(&[], &[]), vec![bytes]));
    }
    let (rest, found) = take(&nested(&[b"a"], &[b"b", b"c"]), "mine").unwrap();
    assert_eq!((rest, found), (nested(&[], &[]), vec![b"a".to_vec(), b"b".to_vec(), b"c".to_vec()]));
    assert_eq!(take(&nested(&[], &[]), "mine").unwrap().1, Vec::<Vec<u8>>::new());
}

#[test]
fn what_is_cut_off_within_is_refused_too() {
    let whole = nested(&[b"0123456789"], &[]);
    for length in EMPTY.len() + 1..whole.len() {
        assert_eq!(take(&whole[..length], "mine"), Err(Malformed), "{length} bytes");
    }
    let mut cut = EMPTY.to_vec();
    push_section(&mut cut, 1, b"\0asm\x01\0\0\0\x00\x7f");
    assert_eq!(take(&cut, "mine"), Err(Malformed));
}

/// So many components in each other, in the innermost of which a section lies.
fn deep(components: usize) -> Vec<u8> {
    let mut inner = EMPTY.to_vec();
    append(&mut inner, "mine", b"x");
    for _ in 1..components {
        let mut outer = EMPTY.to_vec();
        push_section(&mut outer, 4, &inner);
        inner = outer;
    }
    inner
}

#[test]
fn what_lies_too_deep_is_refused() {
    assert_eq!(take(&deep(MAX_DEPTH + 1), "mine").unwrap().1, vec![b"x".to_vec()]);
    for components in [MAX_DEPTH + 2, 10_000] {
        assert_eq!(take(&deep(components), "mine"), Err(Malformed), "{components}");
    }
}
