//! `GET /v1/connectors`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, answers, operation};
use crate::problem::Problem;
use crate::settings::Settings;
use crate::views;
use serde_json::json;

operation! {
    id: "connectors.list",
    path: "/v1/connectors",
    tag: "connectors",
    summary: "List the connectors of this host, by name",
    action: Some(Action::Connectors),
    answers: &[answers(200, "ConnectorList", "All of them.")],
    examples: &[Example::get("All", "/v1/connectors", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let settings = Settings::stored(&call.environment()?.settings)?;
    let view = |one: &crate::connectors::Connector| {
        let name = &one.manifest.name;
        views::connector(&one.manifest, settings.connector(name).enabled, |field| {
            call.state.options.has_operators(name, field)
        })
    };
    let data: Vec<_> = call.state.connectors.iter().map(view).collect();
    Answer::ok(&json!({"data": data, "next": null}))
}
