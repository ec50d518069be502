//! `PATCH /v1/environments/{name}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, PATCH, Place, Verb, answers, operation};
use crate::problem::Problem;
use crate::settings::Settings;
use crate::{codes, json};
use serde_json::json;

operation! {
    id: "environments.patch",
    verb: Verb::Patch,
    path: "/v1/environments/{name}",
    tag: "environments",
    summary: "Change an environment (administrator)",
    about: "A JSON merge patch. Defaults apply to destinations that are written from then on.",
    action: Some(Action::Admin),
    place: Place::Host,
    body: "EnvironmentPatch",
    takes: PATCH,
    answers: &[answers(200, "Environment", "Changed.")],
    examples: &[Example::json(
        "A shorter timeout, and tenants made by publishing",
        "/v1/environments/sandbox",
        r#"{"defaults": {"timeout_ms": 5000}, "create_tenants": true}"#,
        200,
    )],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let found = super::get::find(&call).await?;
    let if_match = call.if_match()?;
    let expect = if_match.check(Some(found.revision))?;
    let mut whole = json!(Settings::stored(&found.settings)?);
    let mut patch = call.value()?;
    // The two forms of a retry policy do not mix: a new one replaces the old one.
    let retry = patch.pointer_mut("/defaults/retry").map(serde_json::Value::take).filter(|retry| !retry.is_null());
    json::merge(&mut whole, patch);
    if let (Some(retry), Some(defaults)) = (retry, whole.get_mut("defaults").and_then(|value| value.as_object_mut())) {
        defaults.insert("retry".to_owned(), retry);
    }
    let settings = Settings::checked(whole)?;
    if let Some(unknown) = settings.connectors.keys().find(|name| call.state.connectors.get(name).is_none()) {
        let pointer = format!("/connectors/{}", json::token(unknown));
        return Err(Problem::field(pointer, &codes::UNKNOWN_CONNECTOR, "This host has no such connector."));
    }
    let put = call.state.store.put_environment(&found.name, &json!(settings), expect).await;
    let saved = put.map_err(|error| if_match.lost(error))?;
    call.state.forget_environments();
    super::get::answer(&saved)
}
