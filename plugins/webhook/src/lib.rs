//! The webhook connector: one signed HTTP request per event, or per batch of events.
//!
//! This file is the glue between the contract and the plain modules beside it. No secret is ever in its memory: it
//! says where one goes, and the host puts it there when the request leaves.

mod classify;
mod config;
mod delivery;
mod request;
mod session;

wit_bindgen::generate!({ path: "../../wit", world: "connector" });

use crate::classify::{Kind, Meaning};
use crate::delivery::not_batchable;
use crate::exports::railhead::plugin::destination::{self, Event, Guest, GuestSession};
use crate::railhead::plugin::host::Call;
use crate::railhead::plugin::http;
use crate::railhead::plugin::types::{self, Failure, Outcome, Reason};
use crate::request::batch;
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
    fn check(&self, call: &Call) -> Vec<Result<String, Reason>> {
        let mut steps = vec![Ok(format!("The address is well-formed: {}.", self.address()))];
        if call.batched() && !batch::is_batchable(self.config().mode) {
            steps.push(Err(reason_of(&not_batchable())));
        }
        if let Some(tokens) = self.tokens() {
            let told = |_| "The token endpoint gives an access token.".to_owned();
            steps.push(tokens.exchange().map(told).map_err(|failure| reason_of(&failure)));
        }
        let answer = self.head_request().and_then(http::send);
        steps.push(match answer {
            Ok(response) => Ok(format!("The endpoint is there: it answers HEAD with {}.", response.status())),
            Err(failure) => Err(reason_of(&failure)),
        });
        steps
    }

    fn deliver(&self, call: &Call, events: Vec<Event>) -> Result<(), Failure> {
        self.send_events(call, &events);
        Ok(())
    }

    fn preview(&self, call: &Call, events: Vec<Event>) -> Result<(), Failure> {
        self.show_events(call, &events)
    }

    fn idle(&self) -> Result<Option<u32>, Failure> {
        Ok(None)
    }

    fn close(&self) {}
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
