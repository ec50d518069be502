//! `POST /v1/tenants/{tenant}/destinations`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::destination::{self, Input, Wanted};
use crate::operation::{Example, Verb, answers, operation};
use crate::problem::Problem;
use crate::settings::{MAX_DESTINATIONS, Settings, TenantLimits};
use crate::{codes, json};
use http::header::LOCATION;
use railhead_model::{DestinationId, DestinationState};
use railhead_store::directory::{Destination, Expect, Tenant};
use railhead_store::work::Health;
use serde_json::Value;

operation! {
    id: "destinations.create",
    verb: Verb::Post,
    path: "/v1/tenants/{tenant}/destinations",
    tag: "destinations",
    summary: "Create a destination",
    about: "Events published from then on that match `event_types` and `filter` are delivered to it. Credentials are \
            plain strings that do not come back; what both sides must hold, such as a signing secret, is made by the \
            host where none is given.",
    action: Some(Action::DestinationsWrite),
    body: "DestinationInput",
    answers: &[answers(201, "Destination", "Created.")],
    examples: &[Example::json(
        "A webhook",
        "/v1/tenants/acme/destinations",
        r#"{"connector": "webhook", "config": {"url": "https://hooks.example.com/orders"}, "event_types": ["order.*"]}"#,
        201,
    )],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let body = call.value()?;
    let id = railhead_model::ids::new_destination_id(call.state.now(), call.state.random_bytes());
    let made = create(&call, &tenant, id, body).await?;
    let location = format!("/v1/tenants/{}/destinations/{}", tenant.id, made.id);
    Ok(super::get::answer(&call, &tenant, &made, 201).await?.header(LOCATION, location))
}

/// Makes a destination of this id.
///
/// # Errors
/// 422 for its body, 409 at the tenant's limit, 403 for credentials without the scope.
pub async fn create(call: &Call, tenant: &Tenant, id: DestinationId, body: Value) -> Result<Destination, Problem> {
    if destination::names_given(&body) {
        call.authorize(Action::CredentialsWrite)?;
    }
    let settings = Settings::stored(&call.environment()?.settings)?;
    let Wanted { spec, mut changes } = destination::check(call, &settings, Input::whole(body)?, &[])?;
    check_room(call, &settings, tenant).await?;
    let manifest = destination::connector(call, &settings, &spec.connector)
        .map_err(|error| Problem::input(vec![error]))?
        .manifest
        .clone();
    destination::generate_missing(&manifest, &[], &mut changes, call.state.random.as_ref());
    let (no, now) = (call.state.store.next_destination_no().await?, call.state.now());
    let credentials = destination::apply(&*call.keys(tenant)?, no, Vec::new(), changes, now);
    destination::check_total(call, "/credentials", &spec.connector, &credentials)?;
    let wanted = Destination {
        no,
        tenant: tenant.no,
        id,
        spec,
        connector_version: manifest.version.clone(),
        state: DestinationState::Active,
        state_reason: None,
        credentials,
        health: Health::default(),
        revision: 0,
        created_at: now,
        updated_at: now,
    };
    let made = call.state.store.put_destination(&wanted, Expect::Absent).await?;
    call.changed(tenant, &[made.no]);
    Ok(made)
}

async fn check_room(call: &Call, settings: &Settings, tenant: &Tenant) -> Result<(), Problem> {
    let own: TenantLimits = json::at("/limits", tenant.limits.clone()).unwrap_or_default();
    let most = own.destinations.or(settings.limits.destinations).unwrap_or(MAX_DESTINATIONS);
    let there = call.state.store.destinations(tenant.no).await?.len();
    if there >= most as usize {
        let detail = format!("The tenant has {there} destinations; its limit is {most}.");
        return Err(Problem::new(&codes::LIMIT_REACHED, detail));
    }
    Ok(())
}
