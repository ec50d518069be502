//! `POST /v1/tenants/{tenant}/destinations/{destination}/credentials/{field}/reveal`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::codes;
use crate::operation::{Example, Verb, answers, operation};
use crate::problem::Problem;
use railhead_model::manifest::CredentialField;
use serde_json::{Value, json};

operation! {
    id: "destinations.credentials.reveal",
    verb: Verb::Post,
    path: "/v1/tenants/{tenant}/destinations/{destination}/credentials/{field}/reveal",
    tag: "destinations",
    summary: "Read a shared credential back",
    about: "Only fields that both sides must hold, such as a webhook's signing secret. Every use is logged; an `Idempotency-Key` is not \
            used, so that no copy of a secret is kept.",
    action: Some(Action::CredentialsReveal),
    answers: &[answers(200, "Revealed", "The values in force, the newest first.")],
    examples: &[Example::get(
        "The signing secret",
        "/v1/tenants/acme/destinations/orders/credentials/signing_secret/reveal",
        200,
    )],
    kept: false,
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let found = call.destination(&tenant).await?;
    let field = call.param("field");
    let connector = call.state.connectors.get(&found.spec.connector);
    let is_it = |own: &&CredentialField| own.name == field && !own.operator;
    let shared = connector.and_then(|one| one.manifest.credentials.iter().find(is_it));
    match shared {
        None => return Err(Problem::not_found("credential field")),
        Some(own) if !own.shared => {
            return Err(Problem::new(&codes::NOT_SHARED, "This field is write-only."));
        }
        Some(_) => {}
    }
    let (keys, now) = (call.keys(&tenant)?, call.state.now());
    let mut values = Vec::new();
    for one in found.credentials.iter().filter(|one| one.field == field) {
        if one.expires_at.is_some_and(|at| at <= now) {
            continue;
        }
        let plain = keys.open_credential(found.no, field, one.version, &one.sealed)?;
        let text = String::from_utf8_lossy(&plain).into_owned();
        values.push(json!({"value": text, "version": one.version, "set_at": one.set_at, "expires_at": one.expires_at}));
    }
    let newest: Value = values.first().and_then(|one| one.get("value").cloned()).unwrap_or_default();
    if newest.is_null() {
        return Err(Problem::not_found("credential"));
    }
    tracing::info!(
        target: "railhead::audit", key = %call.permit, tenant = %tenant.id, destination = %found.id, field,
        request_id = %call.request_id, "a shared credential was revealed"
    );
    Answer::ok(&json!({"field": field, "value": newest, "values": values}))
}
