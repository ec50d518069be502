//! What came and was not read yet: masked before anybody sees it, also where a secret comes in pieces.
//!
//! A secret becomes as many `*` as it has bytes: frames keep their lengths. What is given out when must not tell whether a
//! guess begins like a secret: so the end of what came is held back only where it may go on as something that was written to
//! this very peer, which knows it. Any other secret shows only by being masked, whole: who sees that knew it before.

mod recent;

pub(crate) use self::recent::Recent;

use crate::secret::{Masker, Secret, TooManySecrets};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use zeroize::Zeroizing;

/// What stands for a byte of a secret.
const MASKED: u8 = b'*';
/// An end that looks like so many bytes of a secret which the peer was sent is held back until it shows what it is, and is
/// masked if it does not. Fewer are common, and soon guessed.
const HELD: usize = 8;

/// See the module.
pub(super) struct Inbox {
    /// Of all secrets of the session, and what was composed and written here.
    masker: Arc<Masker>,
    /// Of nothing but what was written here.
    sent: Arc<Masker>,
    secrets: Vec<Arc<Secret>>,
    /// Bytes of memory that both take beside what all connections share.
    bytes: usize,
    /// The masker of the session.
    shared: Arc<Masker>,
    /// Masked, to be read.
    clean: BytesMut,
    /// As they came: bytes that may begin a secret which goes on in what comes next.
    open: Zeroizing<Vec<u8>>,
    /// Which of them belong to a secret that is whole.
    covered: Vec<bool>,
    /// How many of them were given out already.
    given: usize,
    /// Bytes at its end that look like the beginning of a secret which the peer was sent.
    held: usize,
    /// How often that was no secret in the end.
    in_vain: usize,
    /// True if what is held now is counted there: it was let go, and may still go on.
    counted: bool,
    recent: Recent,
}

impl Inbox {
    pub(super) fn new(shared: Arc<Masker>) -> Self {
        Self {
            masker: shared.clone(),
            sent: shared.nothing(),
            secrets: Vec::new(),
            bytes: 0,
            shared,
            clean: BytesMut::new(),
            open: Zeroizing::default(),
            covered: Vec::new(),
            given: 0,
            held: 0,
            in_vain: 0,
            counted: false,
            recent: Recent::default(),
        }
    }

    /// These are written: from now on they are masked too, also in pieces.
    pub(super) fn look_for<'a>(
        &mut self,
        secrets: impl IntoIterator<Item = &'a Arc<Secret>>,
    ) -> Result<(), TooManySecrets> {
        let more = self.sent.unknown(secrets)?;
        if !more.is_empty() {
            let all = [self.secrets.as_slice(), &more].concat();
            let (sent, masker) = (self.shared.nothing().with(&all)?, self.shared.with(&all)?);
            let wider = if Arc::ptr_eq(&masker, &self.shared) { 0 } else { masker.size() };
            self.bytes = wider.saturating_add(sent.size());
            (self.sent, self.masker, self.secrets) = (sent, masker, all);
        }
        Ok(())
    }

    /// Forgets what was written here.
    pub(super) fn forget(&mut self) {
        *self = Self::new(self.shared.clone());
    }

    /// Bytes of memory that it takes to look for what was written here.
    pub(super) fn looking(&self) -> usize {
        self.bytes
    }

    /// How often, since this was asked last, something was held back that was no secret in the end: a guess, or chance.
    pub(super) fn in_vain(&mut self) -> usize {
        std::mem::take(&mut self.in_vain)
    }

    /// What was read last.
    pub(super) fn recent(&self) -> &Recent {
        &self.recent
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
        let taken = self.clean.split_to(end).freeze();
        self.recent.add(&taken);
        taken
    }

    /// Takes in what came.
    pub(super) fn push(&mut self, more: &[u8]) {
        let mut text = Zeroizing::new(Vec::with_capacity(self.open.len() + more.len()));
        text.extend_from_slice(&self.open);
        text.extend_from_slice(more);
        let (run, held_before) = (self.open.len() - self.held, self.given..self.open.len());
        self.open = text;
        self.covered.resize(self.open.len(), false);
        for range in self.masker.found(&self.open) {
            self.covered.get_mut(range).unwrap_or_default().fill(true);
        }
        let held = Some(self.sent.begun(&self.open)).filter(|begun| *begun >= HELD).unwrap_or(0);
        // What may go on as any other secret is given out, and known again should it do so: the rest of it is masked then.
        let settled = self.open.len() - held.max(self.masker.begun(&self.open));
        self.give(self.open.len() - held);
        let shown = held_before.start..self.given.min(held_before.end).max(held_before.start);
        let failed = self.covered.get(shown).unwrap_or_default().contains(&false);
        self.in_vain += usize::from(failed && !self.counted);
        self.counted &= held > 0 && self.open.len() - held == run;
        self.held = held;
        self.given -= settled;
        self.open.drain(..settled);
        self.covered.drain(..settled);
    }

    /// Nothing comes after what is held, or not soon.
    pub(super) fn let_go(&mut self) {
        if self.open.len() > self.given {
            self.in_vain += usize::from(!self.counted);
            self.counted = true;
            self.covered.get_mut(self.given..).unwrap_or_default().fill(true);
            self.give(self.open.len());
        }
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
mod tests;
