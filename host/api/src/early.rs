//! What is answered before the host runs: while it opens its store, migrates, and loads connectors.
//!
//! A load balancer hears that the host is not ready, and a supervisor that the process lives: a migration that takes
//! minutes is no reason to kill it.

use crate::answer::Answer;
use crate::codes;
use crate::ops::host::readyz;
use crate::problem::Problem;
use serde_json::json;

/// What a start is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Opening the store, loading connectors.
    Starting,
    /// Bringing the schema up to date (`--migrate`).
    Migrating,
}

impl Phase {
    /// For programs; never changes.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Migrating => "migrating",
        }
    }

    const fn detail(self) -> &'static str {
        match self {
            Self::Starting => "the host starts",
            Self::Migrating => "the host brings the database's schema up to date",
        }
    }
}

/// The answer to any request at this time.
#[must_use]
pub fn answer(phase: Phase, path: &str, request_id: &str) -> Answer {
    let health = match path {
        "/healthz" => Answer::ok(&json!({"status": "ok"})),
        "/readyz" => readyz::not_ready(phase.code(), phase.detail()),
        _ => Err(Problem::new(&codes::UNAVAILABLE, "The host starts.").retry_after(1)),
    };
    health.unwrap_or_else(|problem| Answer::problem(&problem, request_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::RETRY_AFTER;

    fn body(answer: &Answer) -> serde_json::Value {
        serde_json::from_slice(&answer.body).expect("JSON")
    }

    #[test]
    fn a_host_that_starts_lives_and_is_not_ready() {
        let alive = answer(Phase::Migrating, "/healthz", "req_1");
        assert_eq!((alive.status, body(&alive)), (200, json!({"status": "ok"})));
        for (phase, code) in [(Phase::Starting, "starting"), (Phase::Migrating, "migrating")] {
            let ready = answer(phase, "/readyz", "req_1");
            assert_eq!((ready.status, body(&ready)["code"].as_str()), (503, Some(code)));
        }
        let other = answer(Phase::Starting, "/v1/events", "req_1");
        assert_eq!((other.status, body(&other)["code"].as_str()), (503, Some("unavailable")));
        assert_eq!(other.header_value(&RETRY_AFTER), Some("1"));
    }
}
