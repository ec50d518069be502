//! `PUT /v1/tenants/{tenant}/destinations/{destination}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::codes;
use crate::destination::{self, Input, Wanted};
use crate::operation::{Example, Verb, answers, operation};
use crate::precondition::IfMatch;
use crate::problem::Problem;
use crate::settings::Settings;
use railhead_model::DestinationId;
use railhead_store::directory::{Destination, Expect, Tenant};

operation! {
    id: "destinations.put",
    verb: Verb::Put,
    path: "/v1/tenants/{tenant}/destinations/{destination}",
    tag: "destinations",
    summary: "Create or replace a destination under an id of your own",
    about: "Credentials that the body does not name stay as they are; null deletes one. A destination keeps its \
            connector. A change that sends a credential to another origin needs the scope `credentials:write`.",
    action: Some(Action::DestinationsWrite),
    body: "DestinationInput",
    answers: &[answers(201, "Destination", "Created."), answers(200, "Destination", "Replaced.")],
    examples: &[
        Example::json(
            "A new one",
            "/v1/tenants/acme/destinations/billing",
            r#"{"connector": "webhook", "config": {"url": "https://hooks.example.com/billing", "mode": "raw"}}"#,
            201,
        ),
        Example::json(
            "Replaced",
            "/v1/tenants/acme/destinations/orders",
            r#"{"connector": "webhook", "config": {"url": "https://hooks.example.com/2"}, "retry": {"schedule_ms": [5000]}}"#,
            200,
        ),
    ],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let id: DestinationId = call
        .param("destination")
        .parse()
        .map_err(|error| Problem::field("", &codes::INVALID_VALUE, format!("The id in the path: {error}.")))?;
    let body = call.value()?;
    let found = call.state.store.destination(tenant.no, &id).await?;
    let if_match = call.if_match()?;
    let expect = if_match.check(found.as_ref().map(|destination| destination.revision))?;
    let Some(found) = found else {
        let made = super::create::create(&call, &tenant, id, body).await?;
        return super::get::answer(&call, &tenant, &made, 201).await;
    };
    if destination::names_given(&body) {
        call.authorize(Action::CredentialsWrite)?;
    }
    let saved = replace(&call, &tenant, found, Input::whole(body)?, expect, if_match).await?;
    super::get::answer(&call, &tenant, &saved, 200).await
}

/// Writes what somebody wants over what is there.
///
/// # Errors
/// 422; 403 for credentials that would go elsewhere or be used in another way; 409 or 412 for a lost race.
pub async fn replace(
    call: &Call,
    tenant: &Tenant,
    mut found: Destination,
    input: Input,
    expect: Expect,
    if_match: IfMatch,
) -> Result<Destination, Problem> {
    if input.connector != found.spec.connector {
        let detail = format!("A destination keeps its connector, which is `{}`.", found.spec.connector);
        return Err(Problem::field("/connector", &codes::INVALID_VALUE, detail));
    }
    let settings = Settings::stored(&call.environment()?.settings)?;
    let had: Vec<_> = found.credentials.iter().map(|credential| credential.field.clone()).collect();
    let Wanted { spec, changes } = destination::check(call, &settings, input, &had)?;
    let sent = destination::redirected(call, &found, &spec.config);
    if !sent.is_empty() && !call.may(Action::CredentialsWrite) {
        let detail = format!(
            "The change decides where credentials ({}) go or how they are used: it needs the scope `{}` too.",
            sent.join(", "),
            Action::CredentialsWrite.scope()
        );
        return Err(Problem::new(&codes::MISSING_SCOPE, detail));
    }
    found.spec = spec;
    found.credentials =
        destination::apply(&*call.keys(tenant)?, found.no, found.credentials, changes, call.state.now());
    destination::check_total(call, "/credentials", &found.spec.connector, &found.credentials)?;
    save(call, tenant, found, expect, if_match).await
}

/// Writes a destination and tells the engine.
///
/// # Errors
/// The store's; 412 for a lost race under `If-Match`.
pub async fn save(
    call: &Call,
    tenant: &Tenant,
    mut destination: Destination,
    expect: Expect,
    if_match: IfMatch,
) -> Result<Destination, Problem> {
    destination.updated_at = call.state.now();
    let saved = call.state.store.put_destination(&destination, expect).await.map_err(|error| if_match.lost(error))?;
    call.changed(tenant, &[saved.no]);
    Ok(saved)
}
