//! `GET /problems`

use crate::answer::Answer;
use crate::call::Call;
use crate::docs;
use crate::operation::{Documented, Example, Place, operation};
use crate::problem::Problem;

operation! {
    id: "host.problems",
    path: "/problems",
    tag: "host",
    summary: "All codes of problem documents",
    place: Place::Host,
    answers: &[Documented { status: 200, schema: "", about: "HTML." }],
    examples: &[Example::get("The list", "/problems", 200)],
}

async fn run(_call: Call) -> Result<Answer, Problem> {
    Ok(docs::html(&docs::problems()))
}
