//! What came and was not read yet: masked before anybody sees it, also where a secret comes in pieces.
//!
//! A secret becomes as many `*` as it has bytes: frames keep their lengths.

use crate::secret::{Masker, Secret};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use zeroize::Zeroizing;

/// What stands for a byte of a secret.
const MASKED: u8 = b'*';
/// An end that looks like so many bytes of a secret is held back until it shows what it is. Fewer are common: to wait for
/// what comes after each of them would slow every protocol down.
const HELD: usize = 4;
/// The beginning of a secret is masked like one if it has so many bytes and nothing comes after it.
const SURE: usize = 8;

/// See the module.
pub(super) struct Inbox {
    masker: Arc<Masker>,
    /// Masked, to be read.
    clean: BytesMut,
    /// As they came: bytes that may begin a secret which goes on in what comes next.
    open: Zeroizing<Vec<u8>>,
    /// Which of them belong to a secret that is whole.
    covered: Vec<bool>,
    /// How many of them were given out already.
    given: usize,
}

impl Inbox {
    pub(super) fn new(masker: Arc<Masker>) -> Self {
        Self { masker, clean: BytesMut::new(), open: Zeroizing::default(), covered: Vec::new(), given: 0 }
    }

    /// From now on these are masked too.
    pub(super) fn look_for<'a>(&mut self, secrets: impl IntoIterator<Item = &'a Arc<Secret>>) {
        self.masker = self.masker.with(secrets);
    }

    /// Bytes that are here, held ones too.
    pub(super) fn len(&self) -> usize {
        self.clean.len() + self.open.len() - self.given
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if there is something to be read now.
    pub(super) fn is_readable(&self) -> bool {
        !self.clean.is_empty()
    }

    /// Takes at most `max` bytes of what can be read.
    pub(super) fn take(&mut self, max: usize) -> Bytes {
        let end = self.clean.len().min(max);
        self.clean.split_to(end).freeze()
    }

    /// Takes in what came.
    pub(super) fn push(&mut self, more: &[u8]) {
        let mut text = Zeroizing::new(Vec::with_capacity(self.open.len() + more.len()));
        text.extend_from_slice(&self.open);
        text.extend_from_slice(more);
        self.open = text;
        self.covered.resize(self.open.len(), false);
        for range in self.masker.found(&self.open) {
            self.covered.get_mut(range).unwrap_or_default().fill(true);
        }
        let begun = self.masker.begun(&self.open);
        let settled = self.open.len() - begun;
        self.give(if begun < HELD { self.open.len() } else { settled });
        self.given -= settled;
        self.open.drain(..settled);
        self.covered.drain(..settled);
    }

    /// Nothing comes after what is held, or not soon.
    pub(super) fn let_go(&mut self) {
        if self.open.len() - self.given >= SURE {
            self.covered.get_mut(self.given..).unwrap_or_default().fill(true);
        }
        self.give(self.open.len());
    }

    /// Gives out what is before `end` and was not yet.
    fn give(&mut self, end: usize) {
        let fresh = self.given..end.max(self.given);
        let bytes = self.open.get(fresh.clone()).unwrap_or_default();
        let covered = self.covered.get(fresh.clone()).unwrap_or_default();
        self.clean.extend(bytes.iter().zip(covered).map(|(byte, covered)| if *covered { MASKED } else { *byte }));
        self.given = fresh.end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use railhead_model::manifest::CredentialUse;

    fn inbox(secret: &str) -> Inbox {
        Inbox::new(Masker::new([Secret::derived("key", CredentialUse::Wire, &[], secret.as_bytes().to_vec())]))
    }

    fn text(bytes: &Bytes) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// What is read after each piece.
    fn read(inbox: &mut Inbox, pieces: &[&str]) -> Vec<String> {
        let each = |piece: &&str| {
            inbox.push(piece.as_bytes());
            text(&inbox.take(usize::MAX))
        };
        pieces.iter().map(each).collect()
    }

    #[test]
    fn a_secret_in_one_piece_keeps_its_length() {
        assert_eq!(read(&mut inbox("hunter2-hunter3"), &["a hunter2-hunter3 b"]), ["a *************** b"]);
        assert_eq!(read(&mut inbox("hunter2-hunter3"), &["aHVudGVyMi1odW50ZXIz!"]), ["********************!"]);
    }

    #[test]
    fn wherever_a_secret_is_cut_no_more_than_three_bytes_of_it_are_given_out() {
        let secret = "hunter2-hunter3";
        for cut in 0..=secret.len() {
            let (one, other) = secret.split_at(cut);
            let mut inbox = inbox(secret);
            let got = read(&mut inbox, &[&format!("<{one}"), &format!("{other}>")]).concat();
            let shown = if cut < HELD { one } else { "" };
            assert_eq!(got, format!("<{shown}{}>", "*".repeat(secret.len() - shown.len())), "{cut}");
        }
    }

    #[test]
    fn byte_by_byte_it_is_masked_all_the_same() {
        for spelling in ["hunter2-<nter3", "hunter2%2D%3cnter3", "hunter2-\\u003cnter3", "HUNTER2-<NTER3"] {
            let pieces: Vec<String> = format!("{spelling}.").chars().map(String::from).collect();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let got = read(&mut inbox("hunter2-<nter3"), &pieces).concat();
            let (shown, rest) = got.split_at(HELD - 1);
            assert!(spelling.starts_with(shown), "{got}");
            assert_eq!(rest, format!("{}.", "*".repeat(spelling.len() + 1 - HELD)), "{spelling}");
        }
    }

    #[test]
    fn what_turns_out_to_be_none_is_given_out_whole() {
        let mut inbox = inbox("hunter2-hunter3");
        assert_eq!(read(&mut inbox, &["x hunter2-", "hunt", "ing h"]), ["x ", "", "hunter2-hunting h"]);
        assert_eq!(read(&mut inbox, &["unt"]), [""]);
        assert_eq!(inbox.len(), 3);
        inbox.let_go();
        assert_eq!(text(&inbox.take(2)), "un");
        assert_eq!(text(&inbox.take(9)), "t");
        assert!(inbox.is_empty());
    }

    #[test]
    fn what_is_surely_the_beginning_of_a_secret_is_not_given_out_by_waiting() {
        let mut inbox = inbox("hunter2-hunter3");
        assert_eq!(read(&mut inbox, &["<hunter2-h"]), ["<"]);
        inbox.let_go();
        assert_eq!(text(&inbox.take(99)), "*********");
        assert_eq!(read(&mut inbox, &["unter3>"]), ["******>"], "and the rest of it neither");
    }

    #[test]
    fn secrets_that_touch_leave_nothing_and_hold_nothing() {
        let mut inbox = inbox("aaaaaaaa");
        let flood = "a".repeat(10_000);
        let got = read(&mut inbox, &[&flood, &flood, "."]).concat();
        assert_eq!(got, format!("{}.", "*".repeat(20_000)));
        assert!(inbox.open.is_empty() && inbox.covered.is_empty());
    }
}
