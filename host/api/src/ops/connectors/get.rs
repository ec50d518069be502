//! `GET /v1/connectors/{connector}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, answers, operation};
use crate::problem::Problem;
use crate::settings::Settings;
use crate::views;

operation! {
    id: "connectors.get",
    path: "/v1/connectors/{connector}",
    tag: "connectors",
    summary: "Get a connector",
    about: "Its manifest, the JSON Schema of a destination's `config`, and its credential fields.",
    action: Some(Action::Connectors),
    answers: &[answers(200, "Connector", "The connector.")],
    examples: &[Example::get("The webhook", "/v1/connectors/webhook", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let settings = Settings::stored(&call.environment()?.settings)?;
    let name = call.param("connector");
    let found = call.state.connectors.get(name).ok_or_else(|| Problem::not_found("connector"))?;
    let is_set = |field: &str| call.state.options.has_operators(name, field);
    Answer::ok(&views::connector(&found.manifest, settings.connector(name).enabled, is_set))
}
