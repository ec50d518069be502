//! `GET /v1/environments`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, Place, answers, operation};
use crate::problem::Problem;
use crate::settings::Settings;
use crate::views;
use serde_json::json;

operation! {
    id: "environments.list",
    path: "/v1/environments",
    tag: "environments",
    summary: "List environments (administrator)",
    action: Some(Action::Admin),
    place: Place::Host,
    answers: &[answers(200, "EnvironmentList", "All of them.")],
    examples: &[Example::get("All", "/v1/environments", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let mut data = Vec::new();
    for environment in call.state.store.environments().await? {
        data.push(views::environment(&environment, &Settings::stored(&environment.settings)?));
    }
    Answer::ok(&json!({"data": data, "next": null}))
}
