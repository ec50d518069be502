//! `wasi:io`, `wasi:clocks/monotonic-clock` and `wasi:random`: streams that end in the host's memory, and waiting.

use super::write_to_log;
use crate::adapter::Guest;
use crate::adapter::wasi_http::{Answer, Body, Slot};
use crate::bindings::wasi::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::wasi::io::streams::{HostInputStream, HostOutputStream, StreamError};
use crate::bindings::wasi::wasi::io::{error, poll, streams};
use crate::bindings::wasi::wasi::random::{insecure, random};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::Result;
use wasmtime::component::Resource;

/// Behind a `pollable` handle.
#[derive(Clone)]
pub enum Pollable {
    /// It is ready as it is made: streams, which end in the host's memory.
    Ready,
    /// Ready at this time of the monotonic clock, in milliseconds.
    At(u64),
    /// Ready once the request is over.
    Answer(Arc<Slot>),
}

/// Behind an `input-stream` handle: the body of an answer, and how much of it was read.
pub struct InputStream {
    pub(in crate::adapter) answer: Arc<Answer>,
    pub(in crate::adapter) read: usize,
}

/// Behind an `output-stream` handle.
pub enum OutputStream {
    /// Standard error.
    Log,
    /// The body of a request.
    Body(Body),
}

/// Behind an `error` handle of `wasi:io`, of which no guest ever gets one: its streams do not fail.
pub enum IoError {}

/// Bytes that one write may have: what the host takes of a guest at once is bounded anyway.
const MAX_WRITE: u64 = 64 * 1024;
/// Bytes that one read gives.
const MAX_READ: usize = 1024 * 1024;
/// Random bytes of one call.
const MAX_RANDOM: u64 = 64 * 1024;
const NS_PER_MS: u64 = 1_000_000;

impl poll::Host for Guest {
    async fn poll(&mut self, pollables: Vec<Resource<Pollable>>) -> Result<Vec<u32>> {
        if pollables.is_empty() {
            return Err(wasmtime::Error::msg("wasi:io/poll#poll was called without anything to wait for"));
        }
        let pollables: Vec<Pollable> =
            pollables.iter().map(|handle| Ok(self.table.get(handle)?.clone())).collect::<Result<_>>()?;
        self.first_ready(&pollables).await
    }
}

impl poll::HostPollable for Guest {
    fn ready(&mut self, handle: Resource<Pollable>) -> Result<bool> {
        self.advance();
        let pollable = self.table.get(&handle)?.clone();
        Ok(self.is_ready(&pollable))
    }

    async fn block(&mut self, handle: Resource<Pollable>) -> Result<()> {
        let pollable = self.table.get(&handle)?.clone();
        self.first_ready(&[pollable]).await.map(drop)
    }

    fn drop(&mut self, handle: Resource<Pollable>) -> Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl Guest {
    /// Waits until some of these are ready: their indexes. Requests go on while it waits, and only then: what a guest has
    /// the host do for it ends with its call.
    async fn first_ready(&mut self, pollables: &[Pollable]) -> Result<Vec<u32>> {
        loop {
            self.advance();
            let ready = pollables.iter().zip(0..).filter(|(pollable, _)| self.is_ready(pollable));
            let ready: Vec<u32> = ready.map(|(_, index)| index).collect();
            if !ready.is_empty() {
                return Ok(ready);
            }
            let next = pollables.iter().filter_map(|pollable| match pollable {
                Pollable::At(ms) => Some(*ms),
                Pollable::Ready | Pollable::Answer(_) => None,
            });
            let next = next.min().map(|at| Duration::from_millis(at.saturating_sub(self.clock.monotonic_ms()).max(1)));
            self.meter.waits();
            // Without a time it waits for a request alone; the deadline of the call ends it.
            self.answered_within(next).await;
        }
    }

    fn is_ready(&self, pollable: &Pollable) -> bool {
        match pollable {
            Pollable::Ready => true,
            Pollable::At(ms) => self.clock.monotonic_ms() >= *ms,
            Pollable::Answer(slot) => slot.is_over(),
        }
    }

    fn always_ready(&mut self) -> Result<Resource<Pollable>> {
        Ok(self.table.push(Pollable::Ready)?)
    }
}

impl error::Host for Guest {}

impl error::HostError for Guest {
    fn to_debug_string(&mut self, handle: Resource<IoError>) -> Result<String> {
        match *self.table.get(&handle)? {}
    }

    fn drop(&mut self, handle: Resource<IoError>) -> Result<()> {
        match self.table.delete(handle)? {}
    }
}

impl streams::Host for Guest {}

type Done<T> = Result<std::result::Result<T, StreamError>>;

impl HostInputStream for Guest {
    fn read(&mut self, handle: Resource<InputStream>, len: u64) -> Done<Vec<u8>> {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        Ok(self.table.get_mut(&handle)?.next(len).map(<[u8]>::to_vec).ok_or(StreamError::Closed))
    }

    fn blocking_read(&mut self, handle: Resource<InputStream>, len: u64) -> Done<Vec<u8>> {
        HostInputStream::read(self, handle, len)
    }

    fn skip(&mut self, handle: Resource<InputStream>, len: u64) -> Done<u64> {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        Ok(self.table.get_mut(&handle)?.next(len).map(|bytes| bytes.len() as u64).ok_or(StreamError::Closed))
    }

    fn blocking_skip(&mut self, handle: Resource<InputStream>, len: u64) -> Done<u64> {
        self.skip(handle, len)
    }

    fn subscribe(&mut self, _: Resource<InputStream>) -> Result<Resource<Pollable>> {
        self.always_ready()
    }

    fn drop(&mut self, handle: Resource<InputStream>) -> Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl InputStream {
    /// The next bytes, at most so many; `None` at the end.
    fn next(&mut self, most: usize) -> Option<&[u8]> {
        let rest = self.answer.body().get(self.read..).filter(|rest| !rest.is_empty())?;
        let next = rest.get(..most.min(MAX_READ)).unwrap_or(rest);
        self.read += next.len();
        Some(next)
    }
}

impl HostOutputStream for Guest {
    fn check_write(&mut self, handle: Resource<OutputStream>) -> Done<u64> {
        self.table.get(&handle)?;
        Ok(Ok(MAX_WRITE))
    }

    fn write(&mut self, handle: Resource<OutputStream>, bytes: Vec<u8>) -> Done<()> {
        match self.table.get(&handle)? {
            OutputStream::Log => write_to_log(self, &bytes),
            OutputStream::Body(body) => {
                let open = body.clone().append(&bytes, self.room());
                if !open {
                    return Ok(Err(StreamError::Closed));
                }
            }
        }
        Ok(Ok(()))
    }

    fn blocking_write_and_flush(&mut self, handle: Resource<OutputStream>, bytes: Vec<u8>) -> Done<()> {
        HostOutputStream::write(self, handle, bytes)
    }

    fn flush(&mut self, handle: Resource<OutputStream>) -> Done<()> {
        self.table.get(&handle)?;
        Ok(Ok(()))
    }

    fn blocking_flush(&mut self, handle: Resource<OutputStream>) -> Done<()> {
        self.flush(handle)
    }

    fn subscribe(&mut self, _: Resource<OutputStream>) -> Result<Resource<Pollable>> {
        self.always_ready()
    }

    fn write_zeroes(&mut self, handle: Resource<OutputStream>, len: u64) -> Done<()> {
        if len > MAX_WRITE {
            return Err(wasmtime::Error::msg("more zeroes were to be written at once than `check-write` allows"));
        }
        HostOutputStream::write(self, handle, vec![0; usize::try_from(len)?])
    }

    fn blocking_write_zeroes_and_flush(&mut self, handle: Resource<OutputStream>, len: u64) -> Done<()> {
        self.write_zeroes(handle, len)
    }

    fn splice(&mut self, handle: Resource<OutputStream>, from: Resource<InputStream>, len: u64) -> Done<u64> {
        match HostInputStream::read(self, from, len.min(MAX_WRITE))? {
            Ok(bytes) => {
                let moved = bytes.len() as u64;
                Ok(HostOutputStream::write(self, handle, bytes)?.map(|()| moved))
            }
            Err(closed) => Ok(Err(closed)),
        }
    }

    fn blocking_splice(&mut self, handle: Resource<OutputStream>, from: Resource<InputStream>, len: u64) -> Done<u64> {
        self.splice(handle, from, len)
    }

    fn drop(&mut self, handle: Resource<OutputStream>) -> Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl monotonic_clock::Host for Guest {
    fn now(&mut self) -> Result<u64> {
        // Coarse: guests time nothing finer than a millisecond.
        Ok(self.clock.monotonic_ms().saturating_mul(NS_PER_MS))
    }

    fn resolution(&mut self) -> Result<u64> {
        Ok(NS_PER_MS)
    }

    fn subscribe_instant(&mut self, when: u64) -> Result<Resource<Pollable>> {
        Ok(self.table.push(Pollable::At(when.div_ceil(NS_PER_MS)))?)
    }

    fn subscribe_duration(&mut self, duration: u64) -> Result<Resource<Pollable>> {
        let at = self.clock.monotonic_ms().saturating_add(duration.div_ceil(NS_PER_MS));
        Ok(self.table.push(Pollable::At(at))?)
    }
}

impl random::Host for Guest {
    fn get_random_bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        if len > MAX_RANDOM {
            return Err(wasmtime::format_err!("at most {MAX_RANDOM} random bytes are given at once"));
        }
        let mut bytes = vec![0; usize::try_from(len)?];
        self.meter.charged(|| self.random.fill(&mut bytes));
        Ok(bytes)
    }

    fn get_random_u64(&mut self) -> Result<u64> {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }
}

impl insecure::Host for Guest {
    fn get_insecure_random_bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        random::Host::get_random_bytes(self, len)
    }

    fn get_insecure_random_u64(&mut self) -> Result<u64> {
        random::Host::get_random_u64(self)
    }
}
