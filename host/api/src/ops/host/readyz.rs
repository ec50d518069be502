//! `GET /readyz`

use crate::answer::Answer;
use crate::call::Call;
use crate::operation::{Example, Place, answers, operation};
use crate::problem::Problem;
use serde_json::json;

operation! {
    id: "host.ready",
    path: "/readyz",
    tag: "host",
    summary: "Does the host accept and deliver?",
    about: "For load balancers. 503 while it starts, migrates, loads its destinations, cannot reach its database, has no \
            lease, was fenced by another host, or shuts down; `code` says which.",
    place: Place::Host,
    answers: &[answers(200, "Health", "Yes."), answers(503, "NotReady", "Not now.")],
    examples: &[Example::get("Ready", "/readyz", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    match call.state.delivery.readiness() {
        Ok(()) => Answer::ok(&json!({"status": "ok"})),
        Err(why) => not_ready(why.code(), &why.to_string()),
    }
}

/// 503, with the reason for programs and for people.
///
/// # Errors
/// As [`Answer::json`].
pub fn not_ready(code: &str, detail: &str) -> Result<Answer, Problem> {
    Answer::json(503, &json!({"status": "not-ready", "code": code, "detail": detail}))
}
