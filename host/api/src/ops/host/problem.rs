//! `GET /problems/{code}`

use crate::answer::Answer;
use crate::call::Call;
use crate::operation::{Documented, Example, Place, operation};
use crate::problem::Problem;
use crate::{codes, docs};

operation! {
    id: "host.problem",
    path: "/problems/{code}",
    tag: "host",
    summary: "What a code means and what to change",
    about: "The page that the `type` of a problem document refers to.",
    place: Place::Host,
    answers: &[Documented { status: 200, schema: "", about: "HTML." }],
    examples: &[Example::get("A code", "/problems/event-id-conflict", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let code = codes::find(call.param("code")).ok_or_else(|| Problem::not_found("code"))?;
    Ok(docs::html(&docs::problem(code)))
}
