//! `GET /docs`

use crate::answer::Answer;
use crate::call::Call;
use crate::docs;
use crate::operation::{Documented, Example, Place, operation};
use crate::problem::Problem;

operation! {
    id: "host.docs",
    path: "/docs",
    tag: "host",
    summary: "This API as a page for people",
    place: Place::Host,
    answers: &[Documented { status: 200, schema: "", about: "HTML, without scripts and foreign assets." }],
    examples: &[Example::get("The page", "/docs", 200)],
}

async fn run(_call: Call) -> Result<Answer, Problem> {
    Ok(docs::html(&docs::reference()))
}
