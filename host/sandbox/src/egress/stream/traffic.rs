//! What the record says of a connection whose connector shows nothing: where it went, how much, how it ended.

use super::super::failure::Failure;
use super::super::timing::Stopwatch;
use railhead_model::{BodyPart, Exchange, ExchangeRequest, ExchangeResponse, Header, Reason, Timings};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One connection as far as one call is concerned.
pub(crate) struct Traffic {
    to: String,
    watch: Stopwatch,
    state: Mutex<State>,
}

#[derive(Clone, Default)]
struct State {
    sent: u64,
    received: u64,
    /// `TLSv1.3`
    tls: Option<String>,
    failure: Option<Reason>,
    timings: Timings,
}

impl Traffic {
    /// To a server, from now on.
    pub(crate) fn new(host: &str, port: u16) -> Arc<Self> {
        Arc::new(Self { to: format!("tcp://{host}:{port}"), watch: Stopwatch::start(), state: Mutex::default() })
    }

    /// Of the same connection in the next call.
    pub(crate) fn again(&self) -> Arc<Self> {
        let state = State { tls: self.state().tls.clone(), ..State::default() };
        Arc::new(Self { to: self.to.clone(), watch: Stopwatch::start(), state: Mutex::new(state) })
    }

    /// As the record keeps it; no byte of what was exchanged is in it.
    pub(crate) fn exchange(&self) -> Exchange {
        let State { sent, received, tls, failure, timings } = self.state().clone();
        let request = ExchangeRequest {
            url: self.to.clone(),
            headers: tls.into_iter().map(|version| Header("tls".to_owned(), version)).collect(),
            body: omitted(sent),
            body_bytes: sent,
            ..ExchangeRequest::default()
        };
        let response = (received > 0).then(|| ExchangeResponse {
            body: omitted(received),
            body_bytes: received,
            ..ExchangeResponse::default()
        });
        Exchange { request, response, failure, timings: Timings { total_us: self.watch.us(), ..timings } }
    }

    pub(super) fn resolved(&self, watch: Stopwatch) {
        self.state().timings.dns_us = Some(watch.us());
    }

    /// TLS from the first byte included.
    pub(super) fn connected(&self, watch: Stopwatch) {
        self.state().timings.connect_us = Some(watch.us());
    }

    pub(super) fn secured(&self, version: &str) {
        self.state().tls = Some(version.to_owned());
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.state().sent += bytes as u64;
    }

    pub(super) fn received(&self, bytes: usize) {
        self.state().received += bytes as u64;
    }

    /// Why there is no connection, or no more.
    pub(crate) fn failed(&self, failure: &Failure) {
        self.state().failure = Some(failure.reason());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn omitted(bytes: u64) -> Vec<BodyPart> {
    if bytes == 0 { Vec::new() } else { vec![BodyPart::Omitted(bytes)] }
}
