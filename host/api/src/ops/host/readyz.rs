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
    about: "503 while it starts, has no lease, cannot reach its database, or shuts down.",
    place: Place::Host,
    answers: &[answers(200, "Health", "Yes."), answers(503, "Health", "Not now.")],
    examples: &[Example::get("Ready", "/readyz", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    if call.state.delivery.is_ready() {
        return Answer::ok(&json!({"status": "ok"}));
    }
    Answer::json(503, &json!({"status": "not-ready"}))
}
