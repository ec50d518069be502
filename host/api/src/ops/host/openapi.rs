//! `GET /openapi.json`

use crate::answer::Answer;
use crate::call::Call;
use crate::openapi;
use crate::operation::{Documented, Example, Place, operation};
use crate::problem::Problem;

operation! {
    id: "host.openapi",
    path: "/openapi.json",
    tag: "host",
    summary: "This API as an OpenAPI 3.1 document",
    place: Place::Host,
    answers: &[Documented { status: 200, schema: "", about: "The document." }],
    examples: &[Example::get("The document", "/openapi.json", 200)],
}

async fn run(_call: Call) -> Result<Answer, Problem> {
    Answer::ok(&openapi::document())
}
