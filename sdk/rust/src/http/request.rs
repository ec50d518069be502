//! Requests in fewer words.

use super::Request;
use crate::credentials::Part;
use crate::parts::bytes;
use crate::types::Failure;

/// Bytes of the connector's own that are appended at once; the host takes at most 1 MiB.
const CHUNK: usize = 256 * 1024;

impl Request {
    /// Adds a header of the connector's own text.
    ///
    /// # Errors
    /// As [`Request::header`].
    pub fn text_header(&self, name: &str, value: &str) -> Result<(), Failure> {
        self.header(name, &[bytes(value)])
    }

    /// Adds a query parameter of the connector's own text.
    ///
    /// # Errors
    /// As [`Request::query`].
    pub fn text_query(&self, name: &str, value: &str) -> Result<(), Failure> {
        self.query(name, &[bytes(value)])
    }

    /// Appends to the body however much it is: in as few calls of the host as its bound allows.
    ///
    /// # Errors
    /// As [`Request::body`].
    pub fn append<'a>(&self, parts: impl IntoIterator<Item = Part<'a>>) -> Result<(), Failure> {
        chunked(parts, |chunk| self.body(chunk))
    }
}

/// Hands parts on in groups whose own bytes are no more than a chunk.
fn chunked<'a>(
    parts: impl IntoIterator<Item = Part<'a>>,
    mut send: impl FnMut(&[Part<'a>]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (mut group, mut own) = (Vec::new(), 0);
    for part in parts {
        let Part::Bytes(all) = part else {
            group.push(part);
            continue;
        };
        if own + all.len() <= CHUNK {
            own += all.len();
            group.push(Part::Bytes(all));
            continue;
        }
        for piece in all.chunks(CHUNK) {
            if own + piece.len() > CHUNK {
                send(&group)?;
                group.clear();
                own = 0;
            }
            own += piece.len();
            group.push(bytes(piece));
        }
    }
    if group.is_empty() { Ok(()) } else { send(&group) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::joined;

    #[test]
    fn much_goes_in_several_calls_and_in_order() {
        let sizes = [1, CHUNK, CHUNK - 1, 1, 3 * CHUNK + 7, 5];
        let parts: Vec<_> = (b'a'..).zip(sizes).map(|(byte, size)| bytes(vec![byte; size])).collect();
        let expected = joined(&parts, &[]);
        let mut sent = Vec::new();
        chunked(parts, |group| {
            let own = joined(group, &[]);
            assert!(!own.is_empty() && own.len() <= CHUNK);
            sent.extend(own);
            Ok(())
        })
        .unwrap();
        assert!(sent == expected);
    }

    #[test]
    fn nothing_is_no_call_and_event_data_costs_nothing() {
        let count = |parts: Vec<Part<'static>>| {
            let mut calls = 0;
            chunked(parts, |_| {
                calls += 1;
                Ok(())
            })
            .unwrap();
            calls
        };
        assert_eq!(count(Vec::new()), 0);
        assert_eq!(count((0..10_000).map(Part::EventData).collect()), 1);
    }
}
