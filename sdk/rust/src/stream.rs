//! Connections of protocols that send frames: reads that wait for the whole of one.
//!
//! ```no_run
//! use railhead_sdk::prelude::*;
//! use railhead_sdk::stream::Framed;
//!
//! /// Asks a PostgreSQL server for TLS, and begins it.
//! fn connect(call: &Call, host: &str) -> Result<Framed, Failure> {
//!     let mut server = Framed::connect(host, 5432, Security::Upgrade)?;
//!     server.write(&[parts::bytes([0, 0, 0, 8, 4, 210, 22, 47])])?;
//!     match server.read_u8(call)? {
//!         b'S' => server.start_tls()?,
//!         _ => return Err(Failure::new(Kind::Tls, "no-tls", "The server does not offer TLS. Switch it on there.")),
//!     }
//!     Ok(server)
//! }
//! ```

use crate::credentials::Part;
use crate::host::Call;
use crate::streams::{Connection, Security};
use crate::types::{Failure, Kind};

/// What frames are read from and written to: a [`Connection`], or a script in a test.
pub trait Transport {
    /// Reads 1 to `max` bytes; empty: the peer closed.
    ///
    /// # Errors
    /// As [`Connection::read`].
    fn read(&mut self, max: u32, timeout_ms: u32) -> Result<Vec<u8>, Failure>;

    /// Writes all pieces in order.
    ///
    /// # Errors
    /// As [`Connection::write`].
    fn write(&mut self, parts: &[Part<'_>]) -> Result<(), Failure>;
}

impl Transport for Connection {
    fn read(&mut self, max: u32, timeout_ms: u32) -> Result<Vec<u8>, Failure> {
        Connection::read(self, max, timeout_ms)
    }

    fn write(&mut self, parts: &[Part<'_>]) -> Result<(), Failure> {
        Connection::write(self, parts)
    }
}

/// How long a read may wait: a call's time, or milliseconds for each piece that arrives.
pub trait Left {
    /// Milliseconds from now.
    fn left_ms(&self) -> u32;
}

/// What is left of a call after a read gave up, to settle its events in.
const TO_SETTLE_MS: u32 = 250;

impl Left for Call {
    fn left_ms(&self) -> u32 {
        Call::left_ms(self).saturating_sub(TO_SETTLE_MS)
    }
}

impl Left for u32 {
    fn left_ms(&self) -> u32 {
        *self
    }
}

/// Bytes asked of the host at once.
const READ: u32 = 64 * 1024;

/// A frame that is announced as longer than this is refused, unless [`Framed::with_limit`] says otherwise.
const LIMIT: usize = 16 * 1024 * 1024;

/// A connection with a buffer before it.
#[derive(Debug)]
pub struct Framed<T = Connection> {
    transport: T,
    buffer: Vec<u8>,
    /// What stands before this was given out.
    start: usize,
    limit: usize,
}

impl Framed {
    /// Connects to a host and port that the manifest's origins allow.
    ///
    /// # Errors
    /// As [`Connection::connect`].
    pub fn connect(host: &str, port: u16, security: Security) -> Result<Self, Failure> {
        Connection::connect(host, port, security).map(Self::new)
    }

    /// Begins TLS on a connection opened as `upgrade`.
    ///
    /// # Errors
    /// Of kind `protocol` where the peer sent more than it was asked for: whoever sits between could have put it there, to
    /// be taken for something said under TLS. Else as [`Connection::start_tls`].
    pub fn start_tls(&mut self) -> Result<(), Failure> {
        if !self.buffered().is_empty() {
            let message = "The server sent more than its answer before TLS began.";
            return Err(Failure::protocol("bytes-before-tls", message));
        }
        self.transport.start_tls()
    }

    /// The connection itself, to ask for its channel binding or to wait for it.
    pub fn connection(&self) -> &Connection {
        &self.transport
    }
}

impl<T: Transport> Framed<T> {
    /// Puts a buffer before a connection.
    pub fn new(transport: T) -> Self {
        Self { transport, buffer: Vec::new(), start: 0, limit: LIMIT }
    }

    /// The same, for frames of at most so many bytes.
    #[must_use]
    pub fn with_limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// Writes all pieces in order.
    ///
    /// # Errors
    /// As [`Connection::write`].
    pub fn write(&mut self, parts: &[Part<'_>]) -> Result<(), Failure> {
        self.transport.write(parts)
    }

    /// What arrived and was not given out.
    pub fn buffered(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Exactly so many bytes.
    ///
    /// # Errors
    /// `timeout`; `closed` with code `closed-in-frame`; `protocol` with code `frame-too-long`; else as [`Connection::read`].
    pub fn read_exact(&mut self, count: usize, left: &impl Left) -> Result<&[u8], Failure> {
        if count > self.limit {
            return Err(too_long(self.limit));
        }
        while self.buffered().len() < count {
            self.more(left)?;
        }
        Ok(self.give(count))
    }

    /// All up to this byte, and it.
    ///
    /// # Errors
    /// As [`read_exact`](Self::read_exact); too long is what has no such byte in the limit.
    pub fn read_until(&mut self, last: u8, left: &impl Left) -> Result<&[u8], Failure> {
        let mut seen = 0;
        loop {
            if let Some(at) = self.buffered().iter().skip(seen).position(|byte| *byte == last) {
                return Ok(self.give(seen + at + 1));
            }
            seen = self.buffered().len();
            if seen >= self.limit {
                return Err(too_long(self.limit));
            }
            self.more(left)?;
        }
    }

    /// One byte.
    ///
    /// # Errors
    /// As [`read_exact`](Self::read_exact).
    pub fn read_u8(&mut self, left: &impl Left) -> Result<u8, Failure> {
        self.array(left).map(u8::from_be_bytes)
    }

    /// Two bytes, the most significant first.
    ///
    /// # Errors
    /// As [`read_exact`](Self::read_exact).
    pub fn read_u16be(&mut self, left: &impl Left) -> Result<u16, Failure> {
        self.array(left).map(u16::from_be_bytes)
    }

    /// Four bytes, the most significant first.
    ///
    /// # Errors
    /// As [`read_exact`](Self::read_exact).
    pub fn read_u32be(&mut self, left: &impl Left) -> Result<u32, Failure> {
        self.array(left).map(u32::from_be_bytes)
    }

    /// Eight bytes, the most significant first.
    ///
    /// # Errors
    /// As [`read_exact`](Self::read_exact).
    pub fn read_u64be(&mut self, left: &impl Left) -> Result<u64, Failure> {
        self.array(left).map(u64::from_be_bytes)
    }

    /// Four bytes, the least significant first.
    ///
    /// # Errors
    /// As [`read_exact`](Self::read_exact).
    pub fn read_u32le(&mut self, left: &impl Left) -> Result<u32, Failure> {
        self.array(left).map(u32::from_le_bytes)
    }

    fn array<const N: usize>(&mut self, left: &impl Left) -> Result<[u8; N], Failure> {
        let mut array = [0; N];
        array.copy_from_slice(self.read_exact(N, left)?);
        Ok(array)
    }

    /// Waits for anything.
    fn more(&mut self, left: &impl Left) -> Result<(), Failure> {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        let left_ms = left.left_ms();
        if left_ms == 0 {
            return Err(Failure::new(Kind::Timeout, "timeout", "The server did not answer in time."));
        }
        let bytes = self.transport.read(READ, left_ms)?;
        if bytes.is_empty() {
            let message = "The server closed the connection before its answer was whole.";
            return Err(Failure::new(Kind::Closed, "closed-in-frame", message));
        }
        self.buffer.extend(bytes);
        Ok(())
    }

    fn give(&mut self, count: usize) -> &[u8] {
        let from = self.start;
        self.start += count;
        self.buffer.get(from..self.start).unwrap_or_default()
    }
}

fn too_long(limit: usize) -> Failure {
    Failure::protocol("frame-too-long", format!("The server announced more than {limit} bytes in one piece."))
}

#[cfg(test)]
mod tests;
