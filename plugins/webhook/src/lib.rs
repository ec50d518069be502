//! The webhook connector: one signed HTTP request per event.
//!
//! This file is the glue between the contract and the plain modules beside it. No secret is ever in its memory: it
//! says where one goes, and the host puts it there when the request leaves.

mod classify;
mod config;
mod request;
mod session;

wit_bindgen::generate!({ path: "../../wit", world: "connector" });

use crate::classify::{Answer, Kind, Meaning, Verdict};
use crate::exports::railhead::plugin::destination::{self, Event, Guest, GuestSession};
use crate::railhead::plugin::host::Call;
use crate::railhead::plugin::http::{self, Request, Response};
use crate::railhead::plugin::types::{self, Failure, Outcome, Reason};
use crate::session::Session;

struct Connector;

impl Guest for Connector {
    type Session = Session;
}

export!(Connector);

impl GuestSession for Session {
    fn open(config: String) -> Result<destination::Session, Failure> {
        Session::from_config(&config).map(destination::Session::new)
    }

    /// Sends no event. A receiver need not know HEAD, so whatever it answers is only told.
    fn check(&self, _: &Call) -> Vec<Result<String, Reason>> {
        let mut steps = vec![Ok(format!("The address is well-formed: {}.", self.address()))];
        let answer = self.head_request().and_then(http::send);
        steps.push(match answer {
            Ok(response) => Ok(format!("The endpoint is there: it answers HEAD with {}.", response.status())),
            Err(failure) => Err(reason_of(&failure)),
        });
        steps
    }

    fn deliver(&self, call: &Call, events: Vec<Event>) -> Result<(), Failure> {
        let (requests, carried) = self.prepare(call, &events);
        if requests.is_empty() {
            return Ok(());
        }
        let at_once = u32::try_from(requests.len()).unwrap_or(u32::MAX);
        let results = http::send_all(requests, at_once);
        for (event, result) in carried.into_iter().zip(results) {
            call.settle(&[event], &self.outcome(result, call.now_ms()));
        }
        Ok(())
    }

    /// The same requests; in a preview the host keeps them instead of sending, and says so by a failure of its own.
    fn preview(&self, call: &Call, events: Vec<Event>) -> Result<(), Failure> {
        let (requests, _) = self.prepare(call, &events);
        for request in requests {
            match http::send(request) {
                Err(failure) if failure.kind != types::Kind::Preview => return Err(failure),
                _ => {}
            }
        }
        Ok(())
    }

    fn idle(&self) -> Result<Option<u32>, Failure> {
        Ok(None)
    }

    fn close(&self) {}
}

impl Session {
    /// The requests, and the index of the event that each carries. What cannot be put into one is settled.
    fn prepare(&self, call: &Call, events: &[Event]) -> (Vec<Request>, Vec<u32>) {
        let mut requests = Vec::with_capacity(events.len());
        let mut carried = Vec::with_capacity(events.len());
        for (index, event) in (0_u32..).zip(events) {
            match self.request(call, index, event) {
                Ok(request) => {
                    requests.push(request);
                    carried.push(index);
                }
                Err(failure) => {
                    let meaning = classify::not_sendable(kind_of(&failure), events.len() == 1);
                    call.settle(&[index], &outcome(meaning, reason_of(&failure)));
                }
            }
        }
        (requests, carried)
    }

    fn outcome(&self, result: Result<Response, Failure>, now_ms: u64) -> Outcome {
        match result {
            Ok(response) => {
                let status = response.status();
                let answer = Answer { status, headers: &response.headers() };
                let Verdict { meaning, code, message } =
                    classify::answer(answer, self.config().status_outcome(status), now_ms);
                outcome(meaning, Reason { code, message, status: Some(status.to_string()) })
            }
            Err(failure) => outcome(classify::failure(kind_of(&failure)), reason_of(&failure)),
        }
    }
}

fn outcome(meaning: Meaning, reason: Reason) -> Outcome {
    match meaning {
        Meaning::Delivered => Outcome::Delivered(reason),
        Meaning::Throttled(ms) => Outcome::Throttled((reason, ms)),
        Meaning::Transient(after) => Outcome::Transient((reason, after)),
        Meaning::Uncertain => Outcome::Uncertain(reason),
        Meaning::Permanent => Outcome::Permanent(reason),
        Meaning::TooLarge => Outcome::TooLarge(reason),
        Meaning::Misconfigured => Outcome::Misconfigured(reason),
        Meaning::RejectedCredentials => Outcome::RejectedCredentials(reason),
        Meaning::Untried => Outcome::Untried,
    }
}

fn reason_of(failure: &Failure) -> Reason {
    Reason { code: failure.code.clone(), message: failure.message.clone(), status: None }
}

fn kind_of(failure: &Failure) -> Kind {
    match failure.kind {
        types::Kind::Denied => Kind::Denied,
        types::Kind::Dns => Kind::Dns,
        types::Kind::Connect => Kind::Connect,
        types::Kind::Tls => Kind::Tls,
        types::Kind::Timeout => Kind::Timeout,
        types::Kind::Closed => Kind::Closed,
        types::Kind::TooLarge => Kind::TooLarge,
        types::Kind::Protocol => Kind::Protocol,
        types::Kind::Credential => Kind::Credential,
        types::Kind::Preview => Kind::Preview,
        types::Kind::Invalid => Kind::Invalid,
        types::Kind::Other => Kind::Other,
    }
}
