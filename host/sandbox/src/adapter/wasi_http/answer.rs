//! Answers: whole and masked before the guest gets the first byte of one.

use super::fields::{Entries, Fields};
use super::{Held, errors};
use crate::adapter::wasi::{InputStream, Pollable};
use crate::adapter::{Guest, http};
use crate::bindings::railhead::plugin::types::{Failure, Kind};
use crate::bindings::wasi::wasi::http::types::{
    ErrorCode, HostFutureIncomingResponse, HostFutureTrailers, HostIncomingBody, HostIncomingResponse,
};
use crate::egress;
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasmtime::component::Resource;

/// What came back.
pub(in crate::adapter) struct Answer {
    status: u16,
    headers: Arc<Entries>,
    body: Bytes,
    trailers: Arc<Entries>,
    _held: Held,
}

impl Answer {
    fn new(answer: egress::Response, held: Held) -> Arc<Self> {
        let egress::Response { status, headers, body, trailers, .. } = answer;
        Arc::new(Self { status, headers: entries(headers), body, trailers: entries(trailers), _held: held })
    }

    pub(in crate::adapter) fn body(&self) -> &[u8] {
        &self.body
    }
}

fn entries(texts: Vec<(String, String)>) -> Arc<Entries> {
    let list = texts.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
    Arc::new(Entries { list, held: None })
}

/// Where the answer to a request will be.
pub struct Slot(Mutex<Content>);

enum Content {
    Nothing,
    Over(Result<Arc<Answer>, ErrorCode>),
    Taken,
}

impl Slot {
    pub(in crate::adapter) fn is_over(&self) -> bool {
        !matches!(*self.lock(), Content::Nothing)
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The duty to fill a slot: a request that goes without an answer was cut.
pub(super) struct Unanswered(Arc<Slot>);

impl Unanswered {
    pub(super) fn new() -> Self {
        Self(Arc::new(Slot(Mutex::new(Content::Nothing))))
    }

    pub(super) fn slot(&self) -> Arc<Slot> {
        self.0.clone()
    }

    pub(super) fn fill(self, result: Result<Arc<Answer>, ErrorCode>) {
        *self.0.lock() = Content::Over(result);
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        let mut content = self.0.lock();
        if matches!(*content, Content::Nothing) {
            *content = Content::Over(Err(ErrorCode::ConnectionTerminated));
        }
    }
}

/// A request that is over.
pub(super) struct Finished {
    pub(super) unanswered: Unanswered,
    pub(super) result: Result<egress::Response, Failure>,
}

impl Finished {
    /// Keeps the answer for the guest where the session has room for it.
    pub(super) fn keep(self, room: usize, hold: impl FnOnce(usize) -> Held) {
        let result = match self.result {
            Ok(answer) if http::size(&answer) <= room => {
                let held = hold(http::size(&answer));
                Ok(Answer::new(answer, held))
            }
            Ok(_) => {
                let message = "The answers that this session keeps are larger than they may be; drop them once read.";
                Err(errors::code(crate::adapter::failure(Kind::TooLarge, "session-too-large", message)))
            }
            Err(failure) => Err(errors::code(failure)),
        };
        self.unanswered.fill(result);
    }
}

/// Behind a `future-incoming-response` handle.
pub struct FutureResponse(pub(super) Arc<Slot>);

/// Behind an `incoming-response` handle.
pub struct IncomingResponse {
    answer: Arc<Answer>,
    consumed: bool,
}

/// Behind an `incoming-body` handle.
pub struct IncomingBody {
    answer: Arc<Answer>,
    streamed: bool,
}

/// Behind a `future-trailers` handle: the answer whose they are, until they are taken.
pub struct FutureTrailers(Option<Arc<Answer>>);

type Once<T> = wasmtime::Result<Option<Result<T, ()>>>;

impl HostFutureIncomingResponse for Guest {
    fn subscribe(&mut self, handle: Resource<FutureResponse>) -> wasmtime::Result<Resource<Pollable>> {
        let slot = self.table.get(&handle)?.0.clone();
        Ok(self.table.push(Pollable::Answer(slot))?)
    }

    fn get(&mut self, handle: Resource<FutureResponse>) -> Once<Result<Resource<IncomingResponse>, ErrorCode>> {
        let slot = self.table.get(&handle)?.0.clone();
        let mut content = slot.lock();
        if matches!(*content, Content::Nothing) {
            return Ok(None);
        }
        Ok(Some(match std::mem::replace(&mut *content, Content::Taken) {
            Content::Over(Ok(answer)) => Ok(Ok(self.table.push(IncomingResponse { answer, consumed: false })?)),
            Content::Over(Err(code)) => Ok(Err(code)),
            Content::Nothing | Content::Taken => Err(()),
        }))
    }

    fn drop(&mut self, handle: Resource<FutureResponse>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl HostIncomingResponse for Guest {
    fn status(&mut self, handle: Resource<IncomingResponse>) -> wasmtime::Result<u16> {
        Ok(self.table.get(&handle)?.answer.status)
    }

    fn headers(&mut self, handle: Resource<IncomingResponse>) -> wasmtime::Result<Resource<Fields>> {
        let entries = self.table.get(&handle)?.answer.headers.clone();
        Ok(self.table.push(Fields { entries, fixed: true })?)
    }

    fn consume(&mut self, handle: Resource<IncomingResponse>) -> wasmtime::Result<Result<Resource<IncomingBody>, ()>> {
        let response = self.table.get_mut(&handle)?;
        if std::mem::replace(&mut response.consumed, true) {
            return Ok(Err(()));
        }
        let answer = response.answer.clone();
        Ok(Ok(self.table.push(IncomingBody { answer, streamed: false })?))
    }

    fn drop(&mut self, handle: Resource<IncomingResponse>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl HostIncomingBody for Guest {
    fn stream(&mut self, handle: Resource<IncomingBody>) -> wasmtime::Result<Result<Resource<InputStream>, ()>> {
        let body = self.table.get_mut(&handle)?;
        if std::mem::replace(&mut body.streamed, true) {
            return Ok(Err(()));
        }
        let answer = body.answer.clone();
        Ok(Ok(self.table.push(InputStream { answer, read: 0 })?))
    }

    fn finish(&mut self, handle: Resource<IncomingBody>) -> wasmtime::Result<Resource<FutureTrailers>> {
        let body = self.table.delete(handle)?;
        Ok(self.table.push(FutureTrailers(Some(body.answer)))?)
    }

    fn drop(&mut self, handle: Resource<IncomingBody>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl HostFutureTrailers for Guest {
    fn subscribe(&mut self, handle: Resource<FutureTrailers>) -> wasmtime::Result<Resource<Pollable>> {
        self.table.get(&handle)?;
        Ok(self.table.push(Pollable::Ready)?)
    }

    fn get(&mut self, handle: Resource<FutureTrailers>) -> Once<Result<Option<Resource<Fields>>, ErrorCode>> {
        let Some(answer) = self.table.get_mut(&handle)?.0.take() else { return Ok(Some(Err(()))) };
        if answer.trailers.list.is_empty() {
            return Ok(Some(Ok(Ok(None))));
        }
        let trailers = Fields { entries: answer.trailers.clone(), fixed: true };
        Ok(Some(Ok(Ok(Some(self.table.push(trailers)?)))))
    }

    fn drop(&mut self, handle: Resource<FutureTrailers>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}
