//! One connection, seen from the server.

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// Bytes of one read or write.
const PIECE: usize = 64 * 1024;

/// One connection, seen from the server. All waits end when the client goes.
pub struct Peer {
    /// None only while one stream becomes another one.
    stream: Option<Stream>,
    /// Read, and not taken yet.
    ahead: Vec<u8>,
    number: usize,
    record: Record,
}

/// Keeps what the client wrote.
pub(super) type Record = Box<dyn Fn(&[u8]) + Send>;

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Peer {
    pub(super) fn new(stream: TcpStream, number: usize, record: Record) -> Self {
        Self { stream: Some(Stream::Plain(stream)), ahead: Vec::new(), number, record }
    }

    /// Which connection of the server this is, from 0.
    #[must_use]
    pub const fn number(&self) -> usize {
        self.number
    }

    /// Reads exactly so many bytes.
    ///
    /// # Errors
    /// If the client goes before.
    pub fn read_exact(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.ahead.len() < count {
            if self.read_more()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let rest = self.ahead.split_off(count);
        Ok(std::mem::replace(&mut self.ahead, rest))
    }

    /// Reads until these bytes came, and them.
    ///
    /// # Errors
    /// If the client goes before.
    pub fn read_until(&mut self, end: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = self.ahead.windows(end.len().max(1)).position(|window| window == end) {
                return self.read_exact(at.saturating_add(end.len()));
            }
            if self.read_more()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads a line with its end; empty where the client has gone.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn read_line(&mut self) -> io::Result<String> {
        match self.read_until(b"\n") {
            Ok(line) => Ok(String::from_utf8_lossy(&line).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(String::new()),
            Err(error) => Err(error),
        }
    }

    /// Writes these bytes.
    ///
    /// # Errors
    /// If the client has gone.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stream = self.stream()?;
        match stream {
            Stream::Plain(stream) => stream.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }

    /// Begins TLS, as the server. What the client wrote before is dropped.
    ///
    /// # Errors
    /// If the client has gone, or does not like what it is shown.
    pub fn start_tls(&mut self, config: Arc<ServerConfig>) -> io::Result<()> {
        let Some(Stream::Plain(mut stream)) = self.stream.take() else {
            return Err(io::Error::other("TLS began before"));
        };
        self.ahead.clear();
        let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        self.stream = Some(Stream::Tls(Box::new(StreamOwned::new(connection, stream))));
        Ok(())
    }

    /// Writes so many bytes that mean nothing.
    ///
    /// # Errors
    /// If the client has gone.
    pub fn flood(&mut self, bytes: u64) -> io::Result<()> {
        let piece = vec![b'x'; PIECE];
        let mut left = bytes;
        while left > 0 {
            let count = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            self.send(piece.get(..count).unwrap_or_default())?;
            left = left.saturating_sub(count as u64);
        }
        self.close()
    }

    /// Reads whatever comes and answers nothing, until the client goes.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn hang(&mut self) -> io::Result<()> {
        while self.read_more()? > 0 {
            self.ahead.clear();
        }
        Ok(())
    }

    /// Says that nothing more comes, and waits until the client goes too: closing at once could reset the connection
    /// before the client has read all.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn close(&mut self) -> io::Result<()> {
        match self.stream()? {
            Stream::Plain(stream) => stream.shutdown(Shutdown::Write)?,
            Stream::Tls(stream) => {
                stream.conn.send_close_notify();
                stream.flush()?;
                stream.sock.shutdown(Shutdown::Write)?;
            }
        }
        // A client that keeps its side open is not waited for: its pool may, for minutes.
        self.socket()?.set_read_timeout(Some(Duration::from_secs(5)))?;
        self.hang()
    }

    /// Resets the connection.
    ///
    /// # Errors
    /// If it is gone already.
    pub fn reset(&mut self) -> io::Result<()> {
        socket2::SockRef::from(self.socket()?).set_linger(Some(Duration::ZERO))?;
        self.stream = None;
        Ok(())
    }

    fn read_more(&mut self) -> io::Result<usize> {
        let mut piece = vec![0; PIECE];
        let read = match self.stream()? {
            Stream::Plain(stream) => stream.read(&mut piece)?,
            Stream::Tls(stream) => stream.read(&mut piece)?,
        };
        let new = piece.get(..read).unwrap_or_default();
        (self.record)(new);
        self.ahead.extend_from_slice(new);
        Ok(read)
    }

    fn stream(&mut self) -> io::Result<&mut Stream> {
        self.stream.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn socket(&mut self) -> io::Result<&TcpStream> {
        Ok(match self.stream()? {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => &stream.sock,
        })
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peer({})", self.number)
    }
}
