//! Bytes on their way: in both directions at once, within bounds.

use super::super::failure::Failure;
use super::super::outgoing::{Part, base64_pieces};
use super::{MAX_UNREAD, PIECE, Stream, words};
use crate::secret::encode;
use std::future::poll_fn;
use std::task::{Context, Poll};
use zeroize::Zeroizing;

impl Stream {
    pub(super) async fn write_all(&mut self, parts: &[Part]) -> Result<(), Failure> {
        // At its full size from the start: a vector that grows leaves copies of secrets.
        let mut joined = Zeroizing::new(Vec::with_capacity(PIECE));
        for part in parts {
            match part {
                Part::Bytes(bytes) | Part::EventData(_, bytes) => self.write_piece(&mut joined, bytes).await?,
                Part::EventBase64(_, data) => {
                    for piece in base64_pieces(data) {
                        self.write_piece(&mut joined, piece.as_bytes()).await?;
                    }
                }
                Part::Secret(secret, way) => self.write_piece(&mut joined, &encode(secret.bytes(), *way)).await?,
            }
        }
        self.write_bytes(&joined).await?;
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Joins what is short, and writes what is not.
    async fn write_piece(&mut self, joined: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Failure> {
        if joined.len() + bytes.len() > PIECE {
            self.write_bytes(joined).await?;
            joined.clear();
        }
        if bytes.len() > PIECE {
            self.write_bytes(bytes).await?;
        } else {
            joined.extend_from_slice(bytes);
        }
        Ok(())
    }

    async fn write_bytes(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        while !bytes.is_empty() {
            let written = poll_fn(|cx| self.poll_write(cx, bytes)).await?;
            self.traffic.sent(written);
            bytes = bytes.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, Failure>> {
        match self.socket.poll_write(cx, bytes) {
            Poll::Ready(written) => Poll::Ready(match written {
                Ok(0) => Err(words::closed(&self.host)),
                Ok(written) => Ok(written),
                Err(error) => Err(words::of(&error, &self.host)),
            }),
            Poll::Pending => self.read_meanwhile(cx),
        }
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        match self.socket.poll_flush(cx) {
            Poll::Ready(flushed) => Poll::Ready(flushed.map_err(|error| words::of(&error, &self.host))),
            Poll::Pending => self.read_meanwhile(cx),
        }
    }

    /// A peer that answers before it has read all would wait for the guest, and the guest for it.
    fn read_meanwhile<T>(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        while self.inbox.len() < MAX_UNREAD && self.ended.is_none() && self.poll_fill(cx).is_ready() {}
        Poll::Pending
    }

    /// Reads on as long as nothing has to be waited for, and `max` bytes are not there.
    pub(super) fn poll_all_there_is(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<()> {
        let enough = max.min(MAX_UNREAD);
        while self.inbox.len() < enough && self.ended.is_none() && self.poll_fill(cx).is_ready() {}
        Poll::Ready(())
    }

    /// Ready once something can be given out, or nothing more comes.
    pub(super) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.inbox.is_readable() && self.ended.is_none() {
            if self.poll_fill(cx).is_pending() {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    /// Ready once something more was read, or the end was.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut piece = [0; PIECE];
        let Poll::Ready(read) = self.socket.poll_read(cx, &mut piece) else { return Poll::Pending };
        match read {
            Ok(0) => self.end(Ok(())),
            Ok(read) => {
                self.traffic.received(read);
                self.inbox.push(piece.get(..read).unwrap_or_default());
            }
            Err(error) => {
                let failure = words::of(&error, &self.host);
                self.traffic.failed(&failure);
                self.end(Err(failure));
            }
        }
        Poll::Ready(())
    }

    fn end(&mut self, how: Result<(), Failure>) {
        self.inbox.let_go();
        self.ended = Some(how);
    }
}
