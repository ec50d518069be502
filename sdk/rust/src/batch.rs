//! Requests side by side, each with the events that it carries.

use crate::host::Call;
use crate::http::{self, Request, Response};
use crate::outcome;
use crate::types::{Event, Failure, Outcome};

/// Requests that are sent together: `http::send-all`, with each answer given back beside its events.
#[derive(Debug, Default)]
pub struct Requests {
    requests: Vec<Request>,
    events: Vec<Vec<u32>>,
}

impl Requests {
    /// None so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a request, and tells the host which events of the call it carries.
    pub fn add(&mut self, request: Request, events: Vec<u32>) {
        request.carries(&events);
        self.requests.push(request);
        self.events.push(events);
    }

    /// True if there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Sends them, so many at a time at most; the host has a bound of its own. Answers come in the order of `add`.
    pub fn send(self, at_once: u32) -> Vec<(Vec<u32>, Result<Response, Failure>)> {
        if self.requests.is_empty() {
            return Vec::new();
        }
        self.events.into_iter().zip(http::send_all(self.requests, at_once)).collect()
    }

    /// Sends them and settles what each carried: `classify` says what an answer means for so many events, and
    /// [`outcome::of_failure`] what the lack of one does. In a preview the host keeps the requests, and nothing is settled.
    pub fn deliver(self, call: &Call, at_once: u32, mut classify: impl FnMut(&Response, usize) -> Outcome) {
        for (events, result) in self.send(at_once) {
            let outcome = match &result {
                Ok(response) => classify(response, events.len()),
                Err(failure) => outcome::of_failure(failure),
            };
            call.settle(&events, &outcome);
        }
    }
}

/// Which events go in one request: all of them where the call is a batch, else each by itself.
pub fn groups(call: &Call, events: &[Event]) -> Vec<Vec<u32>> {
    let all = indexes(events);
    if call.batched() { vec![all] } else { all.into_iter().map(|index| vec![index]).collect() }
}

/// What a destination may know a request's duplicates by: the same at every attempt. Of a batch its number, where the
/// manifest asks for stable batches; of an event by itself its own id.
pub fn identity(call: &Call, events: &[Event], group: &[u32]) -> String {
    match group {
        [index] if !call.batched() => {
            events.get(*index as usize).map_or_else(String::new, |event| event.uid().to_owned())
        }
        _ => call.batch_id(),
    }
}

/// The indexes of all events of a call.
pub fn indexes(events: &[Event]) -> Vec<u32> {
    (0..).zip(events).map(|(index, _)| index).collect()
}
