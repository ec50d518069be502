//! `PUT /v1/tenants/{tenant}/destinations/{destination}/credentials/{field}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::codes;
use crate::destination;
use crate::operation::{Example, Verb, answers, operation};
use crate::problem::{FieldError, Problem};
use crate::settings::Settings;
use railhead_model::time::DAY_MS;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Longest time that two values are in force side by side, in milliseconds.
const MAX_OVERLAP_MS: i64 = 30 * DAY_MS;

operation! {
    id: "destinations.credentials.put",
    verb: Verb::Put,
    path: "/v1/tenants/{tenant}/destinations/{destination}/credentials/{field}",
    tag: "destinations",
    summary: "Set or rotate a credential",
    about: "With `overlap_ms` the value before stays in force beside the new one for so long: receivers migrate without a \
            gap. Without `value` (or with \"generate\") the host makes one, where the connector lets it.",
    action: Some(Action::CredentialsWrite),
    body: "CredentialInput",
    answers: &[answers(200, "Destination", "The destination, with the new mask.")],
    examples: &[
        Example::json(
            "Rotate the signing secret within a day",
            "/v1/tenants/acme/destinations/orders/credentials/signing_secret",
            r#"{"value": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3", "overlap_ms": 86400000}"#,
            200,
        ),
        Example::json(
            "Let the host make one",
            "/v1/tenants/acme/destinations/orders/credentials/signing_secret",
            "{}",
            200,
        ),
        Example::json(
            "Headers that nobody but the endpoint sees",
            "/v1/tenants/acme/destinations/orders/credentials/headers",
            r#"{"value": {"authorization": "Custom 0123456789abcdef", "x-team-key": "9f8e7d6c5b4a"}}"#,
            200,
        ),
    ],
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    #[serde(default)]
    value: Option<Value>,
    #[serde(default)]
    overlap_ms: i64,
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let mut found = call.destination(&tenant).await?;
    let if_match = call.if_match()?;
    let expect = if_match.check(Some(found.revision))?;
    let input: Input = call.json(&[])?;
    if !(0..=MAX_OVERLAP_MS).contains(&input.overlap_ms) {
        let detail = format!("Expected 0 to {MAX_OVERLAP_MS} (milliseconds).");
        return Err(Problem::field("/overlap_ms", &codes::INVALID_VALUE, detail));
    }
    let field = call.param("field").to_owned();
    let given = BTreeMap::from([(field.clone(), input.value.unwrap_or_else(|| "generate".into()))]);
    let settings = Settings::stored(&call.environment()?.settings)?;
    let connector =
        destination::connector(&call, &settings, &found.spec.connector).map_err(|error| Problem::input(vec![error]))?;
    let mut errors = Vec::new();
    let change = destination::read(&call, connector, given, &mut errors).pop();
    let Some((_, change)) = change else { return Err(wrong(errors)) };
    let keys = call.keys(&tenant)?;
    destination::seal(&keys, found.no, &mut found.credentials, &field, change, call.state.now(), input.overlap_ms);
    destination::check_total(&call, "/value", &found.spec.connector, &found.credentials)?;
    let saved = super::put::save(&call, &tenant, found, expect, if_match).await?;
    super::get::answer(&call, &tenant, &saved, 200).await
}

/// The field stands in the path: an unknown one is 404; a wrong value stands at `/value`.
fn wrong(errors: Vec<FieldError>) -> Problem {
    if errors.iter().any(|error| error.code == codes::UNKNOWN_CREDENTIAL.name) {
        return Problem::not_found("credential field");
    }
    let moved = errors.into_iter().map(|error| FieldError { pointer: "/value".to_owned(), ..error });
    Problem::input(moved.collect())
}
