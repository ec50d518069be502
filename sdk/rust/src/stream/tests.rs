use super::*;
use std::collections::VecDeque;

/// Pieces in the order in which they arrive; nothing after them.
struct Script(VecDeque<&'static [u8]>);

impl Transport for Script {
    fn read(&mut self, max: u32, timeout_ms: u32) -> Result<Vec<u8>, Failure> {
        assert!(max > 0 && timeout_ms > 0);
        Ok(self.0.pop_front().unwrap_or_default().to_vec())
    }

    fn write(&mut self, _: &[Part<'_>]) -> Result<(), Failure> {
        Ok(())
    }
}

fn framed(pieces: &[&'static [u8]]) -> Framed<Script> {
    Framed::new(Script(pieces.iter().copied().collect()))
}

#[test]
fn frames_are_whole_however_they_arrive() {
    let whole: &[u8] = b"R\x00\x00\x00\x08\x01\x02\x03\x04\x05\x06name\0";
    let singles: Vec<&'static [u8]> = whole.chunks(1).collect();
    let pairs: Vec<&'static [u8]> = whole.chunks(2).collect();
    for pieces in [vec![whole], singles, pairs] {
        let mut framed = framed(&pieces);
        assert_eq!(framed.read_u8(&9), Ok(b'R'));
        assert_eq!(framed.read_u32be(&9), Ok(8));
        assert_eq!(framed.read_exact(4, &9), Ok(&[1, 2, 3, 4][..]));
        assert_eq!(framed.read_u16be(&9), Ok(0x0506));
        assert_eq!(framed.read_until(0, &9), Ok(&b"name\0"[..]));
        assert!(framed.buffered().is_empty());
    }
}

#[test]
fn numbers_have_their_order() {
    let mut framed = framed(&[b"\x01\x02\x03\x04\x01\x02\x03\x04\x05\x06\x07\x08"]);
    assert_eq!(framed.read_u32le(&9), Ok(0x0403_0201));
    assert_eq!(framed.read_u64be(&9), Ok(0x0102_0304_0506_0708));
}

#[test]
fn what_ends_early_or_never_is_a_failure() {
    let code = |result: Result<&[u8], Failure>| result.map(<[u8]>::to_vec).unwrap_err().code;
    assert_eq!(code(framed(&[b"ab"]).read_exact(3, &9)), "closed-in-frame");
    assert_eq!(code(framed(&[b"ab"]).read_until(0, &9)), "closed-in-frame");
    assert_eq!(code(framed(&[b"ab"]).read_exact(3, &0)), "timeout");
    assert_eq!(framed(&[b"ab"]).read_exact(0, &0), Ok(&[][..]));
    assert_eq!(code(framed(&[b"ab"]).with_limit(2).read_exact(3, &9)), "frame-too-long");
    assert_eq!(code(framed(&[b"ab", b"cd"]).with_limit(4).read_until(0, &9)), "frame-too-long");
}
