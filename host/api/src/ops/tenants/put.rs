//! `PUT /v1/tenants/{tenant}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::codes;
use crate::destination::{check_metadata, check_name};
use crate::operation::{Example, Verb, answers, operation};
use crate::precondition::IfMatch;
use crate::problem::Problem;
use crate::settings::{MAX_DESTINATIONS, TenantLimits, check_limit};
use crate::{json, views};
use railhead_model::{TenantId, TenantNo};
use railhead_store::directory::{Expect, Tenant};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

operation! {
    id: "tenants.put",
    verb: Verb::Put,
    path: "/v1/tenants/{tenant}",
    tag: "tenants",
    summary: "Create or replace a tenant",
    about: "The id is the vendor's own: 1 to 128 characters of A-Z a-z 0-9 . _ : -, not beginning with `_`. \
        `_operator` is built in: once it is put, its destinations get the operational events (`destination.failing`, \
        `destination.recovered`, `destination.disabled`, `delivery.dead`).",
    action: Some(Action::Tenants),
    body: "TenantInput",
    answers: &[answers(201, "Tenant", "Created."), answers(200, "Tenant", "Replaced.")],
    examples: &[
        Example::json("A new tenant", "/v1/tenants/initech", r#"{"name": "Initech", "metadata": {"plan": "gold"}}"#, 201),
        Example::json("Replaced", "/v1/tenants/acme", r#"{"name": "Acme Inc."}"#, 200),
    ],
}

/// A tenant's body.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
    #[serde(default)]
    limits: Option<TenantLimits>,
}

/// Members that are objects.
const NESTED: &[&str] = &["/limits"];

async fn run(call: Call) -> Result<Answer, Problem> {
    let id: TenantId = call
        .param("tenant")
        .parse()
        .map_err(|error| Problem::field("", &codes::INVALID_VALUE, format!("The id in the path: {error}.")))?;
    if id.is_reserved() && id != TenantId::operator() {
        let detail = "Tenant ids that begin with `_` are the host's own; `_operator` is the one to put.";
        return Err(Problem::field("", &codes::INVALID_VALUE, detail));
    }
    let input = checked(call.json(NESTED)?)?;
    let found = call.find_tenant().await?;
    let if_match = call.if_match()?;
    let expect = if_match.check(found.as_ref().map(|tenant| tenant.revision))?;
    let created = found.is_none();
    let tenant = match found {
        Some(tenant) => tenant,
        None => fresh(&call, id)?,
    };
    let tenant = write(&call, tenant, input, expect, if_match).await?;
    if created && tenant.id.is_reserved() {
        tracing::info!(
            target: "railhead::audit", key = %call.permit, tenant = %tenant.id,
            "operational events have a tenant from here on"
        );
    }
    let view = views::tenant(&tenant, &call.external_id(&tenant)?);
    Ok(Answer::json(if created { 201 } else { 200 }, &view)?.etag(tenant.revision))
}

/// A tenant that nobody wrote yet, with a data key of its own.
///
/// # Errors
/// 400 without an environment.
pub fn fresh(call: &Call, id: TenantId) -> Result<Tenant, Problem> {
    let (environment, now) = (call.environment()?.no, call.state.now());
    Ok(Tenant {
        no: TenantNo(0),
        environment,
        wrapped_key: call.state.delivery.keyring().new_key(environment, &id),
        id,
        name: None,
        metadata: json!({}),
        limits: json!({}),
        generation: 0,
        revision: 0,
        created_at: now,
        updated_at: now,
    })
}

/// Reads and checks a body.
///
/// # Errors
/// 422.
pub fn input(body: Value) -> Result<Input, Problem> {
    checked(json::into(body, NESTED)?)
}

fn checked(input: Input) -> Result<Input, Problem> {
    let mut errors = Vec::new();
    check_name("/name", input.name.as_deref(), &mut errors);
    if let Some(metadata) = &input.metadata {
        check_metadata("/metadata", metadata, &mut errors);
    }
    let destinations = input.limits.and_then(|limits| limits.destinations);
    check_limit("/limits/destinations", destinations, MAX_DESTINATIONS, &mut errors);
    if errors.is_empty() { Ok(input) } else { Err(Problem::input(errors)) }
}

/// Writes a tenant as a body wants it, and tells the engine.
///
/// # Errors
/// The store's; 412 for a lost race under `If-Match`.
pub async fn write(
    call: &Call,
    mut tenant: Tenant,
    input: Input,
    expect: Expect,
    if_match: IfMatch,
) -> Result<Tenant, Problem> {
    tenant.name = input.name;
    tenant.metadata = json!(input.metadata.unwrap_or_default());
    tenant.limits = json!(input.limits.unwrap_or_default());
    tenant.updated_at = call.state.now();
    let tenant = call.state.store.put_tenant(&tenant, expect).await.map_err(|error| if_match.lost(error))?;
    call.changed(&tenant, &[]);
    Ok(tenant)
}
