//! `wasi:http`: requests of guests whose language expects it. They leave by the same way as those of `http`: the host reads
//! the whole body first, and egress judges, fills in, captures and masks.
//!
//! Requests go on while the guest waits in `wasi:io/poll`, and end with the call that they were made in.

mod answer;
mod body;
mod errors;
mod fields;
mod leaving;
mod placeholder;
mod request;
mod unused;

pub(in crate::adapter) use answer::{Answer, Slot};
pub use answer::{FutureResponse, FutureTrailers, IncomingBody, IncomingResponse};
pub(crate) use body::Body;
pub use body::OutgoingBody;
pub use fields::Fields;
pub use request::{OutgoingRequest, RequestOptions};
pub use unused::Unused;

pub(in crate::adapter) use crate::bindings::wasi::wasi::http::types::ErrorCode;

use self::answer::Finished;
use self::placeholder::Placeholders;
use super::Guest;
use crate::adapter::wasi::IoError;
use crate::bindings::wasi::wasi::http::types::Host;
use crate::limits::MAX_HELD;
use futures::FutureExt as _;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use wasmtime::component::Resource;

/// Requests of a session that are on their way at once; others wait for their turn. The same as for `send-all`.
const MAX_AT_ONCE: usize = 64;

/// Requests of a session that are on their way or wait for their turn; further ones are refused. A guest may forget those that
/// it sent, so its handles do not bound them.
const MAX_UNDER_WAY: usize = 1_024;
/// Bytes of memory that each of them is charged with beside its texts and its body.
const REQUEST_BYTES: usize = 16 * 1024;

/// What a session has of `wasi:http`.
pub(crate) struct State {
    /// Requests that the guest waits for.
    under_way: FuturesUnordered<BoxFuture<'static, Finished>>,
    turns: Arc<Semaphore>,
    placeholders: Placeholders,
    /// Bytes that [`Held`] counts.
    held: Arc<AtomicUsize>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            under_way: FuturesUnordered::new(),
            turns: Arc::new(Semaphore::new(MAX_AT_ONCE)),
            placeholders: Placeholders::default(),
            held: Arc::default(),
        }
    }
}

impl State {
    /// Cuts the requests that are still on their way: their call is over.
    pub(crate) fn cut(&mut self) {
        if !self.under_way.is_empty() {
            self.under_way = FuturesUnordered::new();
        }
    }

    /// Bytes that the host holds for the guest here.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    fn hold(&self, bytes: usize) -> Held {
        let mut held = Held { all: self.held.clone(), bytes: 0 };
        held.grow(bytes);
        held
    }
}

/// Bytes that the host holds for a guest, until this goes.
pub(in crate::adapter) struct Held {
    all: Arc<AtomicUsize>,
    bytes: usize,
}

impl Held {
    fn grow(&mut self, more: usize) {
        self.bytes = self.bytes.saturating_add(more);
        self.all.fetch_add(more, Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Guest {
    /// Bytes that the host may still hold for the session.
    pub(in crate::adapter) fn room(&self) -> usize {
        MAX_HELD.saturating_sub(self.held).saturating_sub(self.wasi.held())
    }

    /// Counts bytes of something that has no failure to answer with: past the bound the guest ends.
    fn must_hold(&self, bytes: usize) -> wasmtime::Result<Held> {
        if bytes > self.room() {
            return Err(wasmtime::Error::msg("the requests under construction hold more bytes than a session may"));
        }
        Ok(self.wasi.hold(bytes))
    }

    /// Goes on with requests as far as that needs no waiting.
    pub(in crate::adapter) fn advance(&mut self) {
        while let Some(Some(finished)) = self.wasi.under_way.next().now_or_never() {
            self.over(finished);
        }
    }

    /// Goes on with requests until one is over, or for so long.
    pub(in crate::adapter) async fn answered_within(&mut self, time: Option<Duration>) {
        let end = async {
            match time {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(finished) = self.wasi.under_way.next() => self.over(finished),
            () = end => {}
        }
    }

    /// Keeps an answer that the session has room for.
    fn over(&mut self, finished: Finished) {
        let room = self.room();
        finished.keep(room, |bytes| self.wasi.hold(bytes));
    }
}

impl Host for Guest {
    fn http_error_code(&mut self, error: Resource<IoError>) -> wasmtime::Result<Option<ErrorCode>> {
        match *self.table.get(&error)? {}
    }
}
