//! Placeholders: what a guest of `wasi:http` writes into a header for a secret that it never sees.

use super::Held;
use crate::adapter::{Guest, PIECE, allow_use, failure};
use crate::bindings::railhead::plugin::types::{Failure, Kind};
use crate::egress::Part;
use crate::secret::{Encoding, Secret};
use bytes::Bytes;
use memchr::memmem;
use railhead_model::manifest::CredentialUse;
use std::collections::VecDeque;
use std::sync::Arc;

/// How each begins. What follows are 128 random bits in hexadecimal: event data cannot hold one by chance or intent.
const PREFIX: &str = "railhead-placeholder-";
const DIGITS: usize = 32;
/// Placeholders of a session. Past it the oldest one stands for nothing.
const MAX: usize = 64;

/// Those of one session, the oldest first. They mean nothing in any other.
#[derive(Default)]
pub(super) struct Placeholders(VecDeque<Placeholder>);

struct Placeholder {
    text: String,
    secret: Arc<Secret>,
    encoding: Encoding,
    _held: Held,
}

impl Placeholders {
    /// A header's value in pieces, with the secrets for their placeholders.
    pub(super) fn filled(&self, value: &[u8]) -> Vec<Part> {
        let (mut parts, mut from) = (Vec::new(), 0);
        for at in memmem::find_iter(value, PREFIX) {
            let end = at.saturating_add(PREFIX.len() + DIGITS);
            let text = value.get(at..end).unwrap_or_default();
            let Some(found) = self.0.iter().find(|placeholder| placeholder.text.as_bytes() == text) else { continue };
            parts.push(piece(value, from, at));
            parts.push(Part::Secret(found.secret.clone(), found.encoding));
            from = end;
        }
        parts.push(piece(value, from, value.len()));
        parts.retain(|part| !matches!(part, Part::Bytes(bytes) if bytes.is_empty()));
        parts
    }
}

fn piece(value: &[u8], from: usize, to: usize) -> Part {
    Part::Bytes(Bytes::copy_from_slice(value.get(from..to).unwrap_or_default()))
}

impl Guest {
    /// The placeholder of a secret of use `place` in an encoding: the same each time that it is asked for.
    pub(in crate::adapter) fn placeholder_of(
        &mut self,
        secret: Arc<Secret>,
        encoding: Encoding,
    ) -> wasmtime::Result<Result<String, Failure>> {
        let allowed = allow_use(&secret, CredentialUse::Place);
        if let Err(failure) = allowed.and_then(|()| crate::adapter::written(&secret, encoding)) {
            return Ok(Err(failure));
        }
        let known = &mut self.wasi.placeholders.0;
        if let Some(same) = known.iter().find(|known| Arc::ptr_eq(&known.secret, &secret) && known.encoding == encoding)
        {
            return Ok(Ok(same.text.clone()));
        }
        if known.len() >= MAX {
            known.pop_front();
        }
        // It may outlive the handle.
        let bytes = PIECE.saturating_add(secret.bytes().len());
        if bytes > self.room() {
            let message = "The secrets that this session has placeholders of hold more bytes than a session may.";
            return Ok(Err(failure(Kind::TooLarge, "session-too-large", message)));
        }
        let mut random = [0; DIGITS / 2];
        self.random.fill(&mut random);
        let text = format!("{PREFIX}{}", hex::encode(random));
        let placeholder = Placeholder { text: text.clone(), secret, encoding, _held: self.wasi.hold(bytes) };
        self.wasi.placeholders.0.push_back(placeholder);
        Ok(Ok(text))
    }
}
