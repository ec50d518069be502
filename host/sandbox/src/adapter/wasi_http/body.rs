//! A request's body: held by the host until it is whole, so that what is refused is told as the answer and not as a stream
//! that closed.

use super::Held;
use super::answer::Unanswered;
use super::leaving::Leaving;
use crate::adapter::Guest;
use crate::adapter::wasi::OutputStream;
use crate::adapter::wasi_http::Fields;
use crate::bindings::wasi::wasi::http::types::{ErrorCode, HostOutgoingBody};
use crate::egress::MAX_BODY;
use bytes::{Bytes, BytesMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasmtime::component::Resource;

/// What was written so far. The stream, the body's handle and the request share it.
#[derive(Clone)]
pub(crate) struct Body(Arc<Mutex<Written>>);

struct Written {
    bytes: BytesMut,
    held: Option<Held>,
    step: Step,
}

/// How far it is.
enum Step {
    /// It is being written; the request waits for it where the guest has sent it.
    Open(Option<Box<Leaving>>),
    /// It is whole; the guest has not sent the request.
    Whole,
    /// It left with its request.
    Gone,
    /// It never will be whole.
    Broken(ErrorCode),
}

/// A body that is whole, and the request that waited for it.
pub(super) type Complete = (Box<Leaving>, Bytes, Option<Held>);

impl Body {
    pub(super) fn new(held: Held) -> Self {
        Self(Arc::new(Mutex::new(Written { bytes: BytesMut::new(), held: Some(held), step: Step::Open(None) })))
    }

    /// Appends what the guest wrote, where there is room for so many bytes. What goes past a bound is dropped, and told as the
    /// request's answer: many a guest would make a mere closed stream of a failed write. False once it is whole.
    pub(in crate::adapter) fn append(&self, bytes: &[u8], room: usize) -> bool {
        let mut written = self.lock();
        match &written.step {
            Step::Open(_) => {}
            Step::Broken(_) => return true,
            Step::Whole | Step::Gone => return false,
        }
        let all = written.bytes.len().saturating_add(bytes.len());
        if all > MAX_BODY || bytes.len() > room {
            written.breaks(ErrorCode::HttpRequestBodySize(Some(all as u64)));
            return true;
        }
        written.bytes.extend_from_slice(bytes);
        if let Some(held) = &mut written.held {
            held.grow(bytes.len());
        }
        true
    }

    /// The guest has written all of it: it goes if its request waited for it.
    fn finish(&self) -> Result<Option<Complete>, ErrorCode> {
        let mut written = self.lock();
        match std::mem::replace(&mut written.step, Step::Gone) {
            Step::Open(Some(leaving)) => Ok(Some(written.take(leaving))),
            Step::Open(None) => {
                written.step = Step::Whole;
                Ok(None)
            }
            Step::Broken(code) => {
                written.step = Step::Broken(code.clone());
                Err(code)
            }
            Step::Whole | Step::Gone => Ok(None),
        }
    }

    /// The guest sends its request: it goes if the body is whole.
    pub(super) fn send(&self, leaving: Box<Leaving>) -> Result<Option<Complete>, ErrorCode> {
        let mut written = self.lock();
        match std::mem::replace(&mut written.step, Step::Gone) {
            Step::Open(_) => {
                written.step = Step::Open(Some(leaving));
                Ok(None)
            }
            Step::Whole => Ok(Some(written.take(leaving))),
            Step::Broken(code) => Err(code),
            Step::Gone => Err(ErrorCode::HttpProtocolError),
        }
    }

    /// Nothing comes after this; a request that waits for it has no answer.
    fn breaks(&self, code: ErrorCode) {
        self.lock().breaks(code);
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Written {
    fn take(&mut self, leaving: Box<Leaving>) -> Complete {
        (leaving, std::mem::take(&mut self.bytes).freeze(), self.held.take())
    }

    fn breaks(&mut self, code: ErrorCode) {
        if let Step::Open(leaving) = &mut self.step {
            let waiting: Option<Unanswered> = leaving.take().map(|leaving| leaving.unanswered);
            if let Some(unanswered) = waiting {
                unanswered.fill(Err(code.clone()));
            }
            self.step = Step::Broken(code);
            self.bytes = BytesMut::new();
            self.held = None;
        }
    }
}

/// Behind an `outgoing-body` handle.
pub struct OutgoingBody {
    pub(super) body: Body,
    /// Its stream was given out.
    pub(super) streamed: bool,
}

impl HostOutgoingBody for Guest {
    fn write(&mut self, handle: Resource<OutgoingBody>) -> wasmtime::Result<Result<Resource<OutputStream>, ()>> {
        let outgoing = self.table.get_mut(&handle)?;
        if std::mem::replace(&mut outgoing.streamed, true) {
            return Ok(Err(()));
        }
        let stream = OutputStream::Body(outgoing.body.clone());
        Ok(Ok(self.table.push(stream)?))
    }

    fn finish(
        &mut self,
        handle: Resource<OutgoingBody>,
        trailers: Option<Resource<Fields>>,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        let body = self.table.delete(handle)?.body;
        let trailers = trailers.map(|trailers| self.table.delete(trailers)).transpose()?;
        if trailers.is_some_and(|trailers| !trailers.entries.list.is_empty()) {
            body.breaks(ErrorCode::InternalError(Some("trailers: This host sends no trailers.".to_owned())));
        }
        match body.finish() {
            Ok(Some(complete)) => self.leave(complete),
            Ok(None) => {}
            Err(code) => return Ok(Err(code)),
        }
        Ok(Ok(()))
    }

    fn drop(&mut self, handle: Resource<OutgoingBody>) -> wasmtime::Result<()> {
        // A body that was not finished is torn, and must not arrive as if it were whole.
        self.table.delete(handle)?.body.breaks(ErrorCode::HttpProtocolError);
        Ok(())
    }
}
