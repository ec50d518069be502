//! What an answer is masked with: the secrets of the session, and the signatures of its own request. A peer that sends one
//! back would tell a connector what a key signs for any text of the connector's choice.

use crate::secret::{Masker, Secret};
use http::HeaderMap;
use railhead_model::manifest::CredentialUse;
use std::sync::Arc;

/// The shortest text of a signature; what has no such run of its characters holds none.
const SHORTEST: usize = 20;

/// See the module.
pub(super) struct Masks {
    pub(super) masker: Arc<Masker>,
    pub(super) signatures: Vec<Arc<Secret>>,
}

impl Masks {
    /// For a request that was signed like this.
    pub(super) fn new(masker: Arc<Masker>, signatures: Vec<Vec<u8>>) -> Self {
        let secret = |bytes| Secret::derived("signature", CredentialUse::SignRequest, &[], bytes);
        Self { masker, signatures: signatures.into_iter().map(secret).collect() }
    }

    /// Bytes of the longest thing that is looked for.
    pub(super) fn longest(&self) -> usize {
        self.masker.longest().max(Masker::longest_of(&self.signatures))
    }

    /// What masks an answer that has these bytes and headers. Few hold what could be a signature: for the others no masker
    /// is made.
    pub(super) fn of(&self, body: &[u8], headers: [&HeaderMap; 2]) -> Arc<Masker> {
        let values = headers.into_iter().flat_map(|headers| headers.values().map(http::HeaderValue::as_bytes));
        if self.signatures.is_empty() || !std::iter::once(body).chain(values).any(may_hold) {
            return self.masker.clone();
        }
        self.masker.and(self.signatures.iter().cloned())
    }
}

/// True if it has a run of characters that is as long as a signature's text, or bytes that are none of a text.
fn may_hold(bytes: &[u8]) -> bool {
    let mut run = 0;
    bytes.iter().any(|byte| {
        let is_text = byte.is_ascii_alphanumeric() || b"+/-_=%\\".contains(byte);
        run = if is_text { run + 1 } else { 0 };
        run >= SHORTEST || !(byte.is_ascii_graphic() || byte.is_ascii_whitespace())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::MASK;
    use crate::secret::{Encoding, encode};
    use http::HeaderValue;

    fn base64(bytes: &[u8]) -> String {
        String::from_utf8(encode(bytes, Encoding::Base64).to_vec()).unwrap()
    }

    #[test]
    fn a_signature_is_found_however_it_is_written_and_looked_for_where_it_could_be() {
        let bytes: Vec<u8> = (0..32).map(|n| n * 7 + 3).collect();
        let masks = Masks::new(Masker::new([]), vec![bytes.clone()]);
        let none = HeaderMap::new();
        for text in [hex::encode(&bytes), base64(&bytes)] {
            let mut headers = HeaderMap::new();
            headers.insert("x-echo", HeaderValue::from_str(&format!("v1,{text}")).unwrap());
            let masker = masks.of(b"ok", [&headers, &none]);
            assert_eq!(masker.text(&format!("v1,{text}")), format!("v1,{MASK}"));
        }
        let raw = masks.of(&bytes, [&none, &none]);
        assert_eq!(raw.bytes(bytes.into()), MASK.as_bytes());
        for body in ["ok", "", "{\"received\": true, \"at\": \"Tue, 24 Nov 2026\"}"] {
            assert!(Arc::ptr_eq(&masks.of(body.as_bytes(), [&none, &none]), &masks.masker), "{body}");
        }
    }
}
