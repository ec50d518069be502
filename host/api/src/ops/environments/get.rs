//! `GET /v1/environments/{name}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, Place, answers, operation};
use crate::problem::Problem;
use crate::settings::Settings;
use crate::views;
use railhead_store::directory::Environment;

operation! {
    id: "environments.get",
    path: "/v1/environments/{name}",
    tag: "environments",
    summary: "Get an environment (administrator)",
    about: "What was set, and under `effective` what is in force.",
    action: Some(Action::Admin),
    place: Place::Host,
    answers: &[answers(200, "Environment", "The environment.")],
    examples: &[Example::get("The live one", "/v1/environments/live", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let found = find(&call).await?;
    answer(&found)
}

/// The environment of the path, read from the store.
///
/// # Errors
/// 404.
pub async fn find(call: &Call) -> Result<Environment, Problem> {
    let all = call.state.store.environments().await?;
    let found = all.into_iter().find(|environment| environment.name == call.param("name"));
    found.ok_or_else(|| Problem::not_found("environment"))
}

/// Answers with an environment and its ETag.
///
/// # Errors
/// As [`Answer::json`].
pub fn answer(found: &Environment) -> Result<Answer, Problem> {
    let view = views::environment(found, &Settings::stored(&found.settings)?);
    Ok(Answer::ok(&view)?.etag(found.revision))
}
