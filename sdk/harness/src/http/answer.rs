//! What a server answers, or does instead.

use crate::tcp::Peer;
use std::io;
use std::sync::Arc;

/// An answer of an [`crate::HttpPeer`], or what it does instead of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A status, headers and a body, and then the end of the connection.
    Reply {
        /// The status.
        status: u16,
        /// Beside `content-length` and `connection`.
        headers: Vec<(String, String)>,
        /// As it is.
        body: Arc<[u8]>,
    },
    /// These bytes, whatever they are.
    Bytes(Arc<[u8]>),
    /// A body without end: so many bytes of it, and then the end of the connection.
    Flood(u64),
    /// The head of an answer, whose body never comes.
    HeadOnly(u16),
    /// Nothing, until the other side goes.
    Hang,
    /// Closes without an answer.
    Close,
    /// Resets the connection.
    Reset,
}

impl Answer {
    /// With this status and nothing else.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Reply { status, headers: Vec::new(), body: Arc::default() }
    }

    /// As it is written on the wire, but for the version and the lengths: `429 Slow down\r\nretry-after: 7\r\n\r\nbody`.
    /// The words after the status are not sent.
    #[must_use]
    pub fn text(answer: &str) -> Self {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.get(..3)?.parse().ok()).unwrap_or(500);
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        Self::Reply { status, headers, body: body.as_bytes().into() }
    }

    /// With this header too, where it is a [`Answer::Reply`].
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Self::Reply { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// With this body, where it is a [`Answer::Reply`].
    #[must_use]
    pub fn body(mut self, new: impl AsRef<[u8]>) -> Self {
        if let Self::Reply { body, .. } = &mut self {
            *body = new.as_ref().into();
        }
        self
    }

    pub(super) fn send(&self, peer: &mut Peer) -> io::Result<()> {
        match self {
            Self::Reply { status, headers, body } => {
                let mut head = format!("HTTP/1.1 {status} {status}\r\n");
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                if headers.iter().all(|(name, _)| !name.eq_ignore_ascii_case("content-length")) {
                    head.push_str(&format!("content-length: {}\r\n", body.len()));
                }
                head.push_str("connection: close\r\n\r\n");
                peer.send(&[head.as_bytes(), body].concat())?;
                peer.close()
            }
            Self::Bytes(bytes) => {
                peer.send(bytes)?;
                peer.close()
            }
            Self::Flood(bytes) => {
                peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")?;
                peer.flood(*bytes)
            }
            Self::HeadOnly(status) => {
                peer.send(format!("HTTP/1.1 {status} {status}\r\ncontent-length: 1000\r\n\r\n").as_bytes())?;
                peer.hang()
            }
            Self::Hang => peer.hang(),
            Self::Close => peer.close(),
            Self::Reset => peer.reset(),
        }
    }
}
