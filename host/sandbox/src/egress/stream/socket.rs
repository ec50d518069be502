//! A socket, with TLS or without.

use super::super::failure::Failure;
use super::words;
use futures::task::noop_waker;
use rustls::pki_types::CertificateDer;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// See the module.
pub(super) enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// It is closed.
    Gone,
}

impl Socket {
    pub(super) const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// The server's own.
    pub(super) fn certificate(&self) -> Option<&CertificateDer<'static>> {
        match self {
            Self::Tls(stream) => stream.get_ref().1.peer_certificates()?.first(),
            Self::Plain(_) | Self::Gone => None,
        }
    }

    /// The plain connection, if the peer has sent nothing that was not read. Must run where sockets are watched.
    pub(super) fn silent(self, host: &str) -> Result<TcpStream, Failure> {
        let Self::Plain(stream) = self else { return Err(words::closed(host)) };
        let failed = |error: io::Error| words::of(&error, host);
        // What tokio knows of its readiness may be older than what the system has.
        let stream = stream.into_std().map_err(failed)?;
        match stream.peek(&mut [0]) {
            Ok(0) => Err(words::closed(host)),
            Ok(_) => Err(words::bytes_before_tls(host)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => TcpStream::from_std(stream).map_err(failed),
            Err(error) => Err(failed(error)),
        }
    }

    /// How many bytes were read.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut into = ReadBuf::new(into);
        let read = match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, &mut into),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, &mut into),
            Self::Gone => Poll::Ready(Err(ErrorKind::NotConnected.into())),
        };
        read.map_ok(|()| into.filled().len())
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Gone => Poll::Ready(Err(ErrorKind::NotConnected.into())),
        }
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Gone => Poll::Ready(Err(ErrorKind::NotConnected.into())),
        }
    }

    /// Says goodbye if there is room for it, and waits for nothing.
    pub(super) fn close(&mut self) {
        if let Self::Tls(stream) = self {
            let waker = noop_waker();
            let _ = Pin::new(stream).poll_shutdown(&mut Context::from_waker(&waker));
        }
        *self = Self::Gone;
    }
}
