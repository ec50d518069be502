//! `GET /healthz`

use crate::answer::Answer;
use crate::call::Call;
use crate::operation::{Example, Place, answers, operation};
use crate::problem::Problem;
use serde_json::json;

operation! {
    id: "host.health",
    path: "/healthz",
    tag: "host",
    summary: "Is the process alive?",
    about: "For supervisors: 200 from the first moment of a start to the end, whatever the database does.",
    place: Place::Host,
    answers: &[answers(200, "Health", "Yes.")],
    examples: &[Example::get("Alive", "/healthz", 200)],
}

async fn run(_call: Call) -> Result<Answer, Problem> {
    Answer::ok(&json!({"status": "ok"}))
}
