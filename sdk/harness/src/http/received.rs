//! A request as it came over the wire.

use crate::tcp::Peer;
use std::collections::BTreeMap;
use std::io;

/// A request as it came over the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// `POST /path HTTP/1.1`.
    pub line: String,
    /// Names in lower case; a name that came twice has both values.
    pub headers: BTreeMap<String, Vec<String>>,
    /// Without the framing of chunks.
    pub body: Vec<u8>,
}

impl Received {
    /// `POST`.
    #[must_use]
    pub fn method(&self) -> &str {
        self.line.split(' ').next().unwrap_or_default()
    }

    /// Path and query as they came.
    #[must_use]
    pub fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    /// The only value of a header.
    ///
    /// # Panics
    /// If it came never, or more than once.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        match self.headers.get(name).map(Vec::as_slice) {
            Some([value]) => value,
            other => panic!("{name}: {other:?}"),
        }
    }

    /// The first value of a header, if it came.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.first().map(String::as_str)
    }

    /// The body as text.
    ///
    /// # Panics
    /// If it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> &str {
        match std::str::from_utf8(&self.body) {
            Ok(text) => text,
            Err(error) => panic!("the body is no text: {error}"),
        }
    }
}

/// The next request; none where the other side has gone.
pub(super) fn read(peer: &mut Peer) -> io::Result<Option<Received>> {
    let line = peer.read_line()?;
    if line.is_empty() {
        return Ok(None);
    }
    let mut received = Received { line: line.trim_end().to_owned(), ..Received::default() };
    loop {
        let line = peer.read_line()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        received.headers.entry(name.to_ascii_lowercase()).or_default().push(value.trim().to_owned());
    }
    if received.first("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        received.body = chunks(peer)?;
    } else if let Some(length) = received.first("content-length").and_then(|length| length.parse().ok()) {
        received.body = peer.read_exact(length)?;
    }
    Ok(Some(received))
}

fn chunks(peer: &mut Peer) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = peer.read_line()?;
        let size = line.trim_end().split(';').next().and_then(|size| usize::from_str_radix(size, 16).ok());
        let Some(size) = size else { return Err(io::Error::other("a chunk without a length")) };
        body.extend(peer.read_exact(size)?);
        peer.read_line()?;
        if size == 0 {
            return Ok(body);
        }
    }
}
