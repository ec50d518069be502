//! From a request of `wasi:http` to one of egress.

use super::answer::{Finished, Unanswered};
use super::body::Complete;
use super::errors;
use super::fields::Entries;
use super::{ErrorCode, Held, MAX_UNDER_WAY, REQUEST_BYTES};
use crate::adapter::{Guest, failure};
use crate::bindings::railhead::plugin::types::{Failure, Kind};
use crate::call::CallEvent;
use crate::egress::{Outgoing, Part};
use bytes::{Buf as _, Bytes};
use memchr::memmem;
use std::sync::Arc;
use std::time::Duration;

/// A request whose head is complete.
pub(super) struct Leaving {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Arc<Entries>,
    pub(super) bound: Option<Duration>,
    pub(super) unanswered: Unanswered,
    pub(super) _held: Held,
}

/// Event data that is shorter stands in a body as the guest's own bytes.
const SHORTEST: usize = 8;
/// How often a body is searched for event data, in all its length: once an event where there are few.
const MAX_SEARCHES: usize = 64;

impl Guest {
    /// Sends a request: it goes on while the guest waits.
    pub(super) fn leave(&mut self, (leaving, body, held): Complete) {
        if self.wasi.under_way.len() >= MAX_UNDER_WAY || self.room() < REQUEST_BYTES {
            return leaving.unanswered.fill(Err(ErrorCode::HttpRequestDenied));
        }
        let charged = self.wasi.hold(REQUEST_BYTES);
        let meter = self.meter.clone();
        let made = meter.charged(|| self.outgoing(&leaving, body));
        let outgoing = match made {
            Ok(outgoing) => outgoing,
            Err(failure) => return leaving.unanswered.fill(Err(errors::code(failure))),
        };
        let (mut sender, turns) = (self.sender(), self.wasi.turns.clone());
        let going = async move {
            // Never closed. Who waits for a turn has the less time for the request itself.
            let turn = turns.acquire_owned().await;
            sender.begins();
            let result = sender.send(outgoing).await;
            drop((turn, held, charged));
            Finished { unanswered: leaving.unanswered, result }
        };
        self.wasi.under_way.push(Box::pin(going));
    }

    fn outgoing(&self, leaving: &Leaving, body: Bytes) -> Result<Outgoing, Failure> {
        let mut outgoing = Outgoing::new(leaving.method.clone(), leaving.url.clone());
        for (name, value) in &leaving.headers.list {
            if name == "content-length" {
                check_length(value, body.len())?;
                continue;
            }
            outgoing.header(name, self.wasi.placeholders.filled(value))?;
        }
        let events = self.running.as_ref().map_or(&[][..], |running| &running.call.events);
        outgoing.body(with_references(body, events))?;
        // What a guest says of its events is not in these requests: each may carry any of the call.
        outgoing.carries((0..).take(events.len()).collect());
        if let Some(bound) = leaving.bound {
            outgoing.timeout(bound);
        }
        Ok(outgoing)
    }
}

fn check_length(value: &[u8], bytes: usize) -> Result<(), Failure> {
    let told = std::str::from_utf8(value).ok().and_then(|text| text.trim().parse::<usize>().ok());
    if told == Some(bytes) {
        return Ok(());
    }
    let message = format!("The header `content-length` is not the length of the body, {bytes} bytes.");
    Err(failure(Kind::Invalid, "content-length", message))
}

/// The body in pieces: event data that stands in it as it is becomes a reference, so that the record does not keep a copy of
/// it. Events are looked for in their order, each behind the one before.
fn with_references(body: Bytes, events: &[CallEvent]) -> Vec<Part> {
    let (mut parts, mut rest) = (Vec::new(), body);
    let long = (0..).zip(events).filter(|(_, event)| event.event.data.len() >= SHORTEST);
    for (index, event) in long.take(MAX_SEARCHES) {
        let data = &event.event.data;
        let Some(at) = memmem::find(&rest, data) else { continue };
        let before = rest.split_to(at);
        rest.advance(data.len());
        if !before.is_empty() {
            parts.push(Part::Bytes(before));
        }
        parts.push(Part::EventData(index, data.clone()));
    }
    if !rest.is_empty() {
        parts.push(Part::Bytes(rest));
    }
    parts
}

#[cfg(test)]
mod tests;
