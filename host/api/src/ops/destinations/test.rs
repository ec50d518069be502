//! `POST /v1/tenants/{tenant}/destinations/{destination}/test`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::codes;
use crate::operation::{Example, Verb, answers, operation};
use crate::ops::events::publish::{overloaded, refused};
use crate::problem::{FieldError, Problem};
use crate::publish::{Envelope, Fields, Given, draft};
use crate::{json, views};
use bytes::Bytes;
use railhead_delivery::{Draft, TestError};
use railhead_model::{AttemptKey, DestinationState};
use railhead_store::directory::Tenant;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

operation! {
    id: "destinations.test",
    verb: Verb::Post,
    path: "/v1/tenants/{tenant}/destinations/{destination}/test",
    tag: "destinations",
    summary: "Send one event now, for real",
    about: "Names an event type, whose example is sent, or brings an event. It goes to this destination alone, whatever \
            its subscriptions. `attempt` is null if none was made in time; the delivery goes on. It counts in the tenant's \
            share as published events do: a busy host answers 429 or 503.",
    action: Some(Action::DestinationsWrite),
    body: "Test",
    answers: &[answers(200, "Tested", "The delivery, and its first attempt.")],
    examples: &[
        Example::json(
            "An event of your own",
            "/v1/tenants/acme/destinations/orders/test",
            r#"{"event": {"type": "order.created", "data": {"order": 1}}}"#,
            200,
        ),
        Example::json(
            "The example of a type",
            "/v1/tenants/acme/destinations/orders/test",
            r#"{"event_type": "order.created"}"#,
            200,
        ),
    ],
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Input<'a> {
    #[serde(default)]
    event_type: Option<String>,
    #[serde(default, borrow)]
    event: Option<&'a RawValue>,
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let found = call.destination(&tenant).await?;
    if found.state != DestinationState::Active {
        return Err(Problem::new(
            &codes::DESTINATION_NOT_ACTIVE,
            "Nothing was sent: resume or enable the destination first.",
        ));
    }
    let draft = wanted(&call, &tenant).await?;
    // A failing destination is probed at once, so that the test need not wait for its next probe.
    call.state.delivery.probe(found.no);
    let (key, attempt) = call.state.delivery.test(&tenant, &found, draft).await.map_err(|error| match error {
        TestError::Overloaded(error) => overloaded(error),
        TestError::Refused(refusal) => refused(&refusal),
    })?;
    let attempt = match attempt {
        Some(attempt) => {
            let key = AttemptKey { delivery: key, n: attempt.n };
            Some(
                crate::ops::attempts::get::find(&call, &tenant, key)
                    .await?
                    .unwrap_or_else(|| views::attempt_summary(key, &attempt)),
            )
        }
        None => None,
    };
    Answer::ok(&json!({"delivery": key, "event": key.event, "attempt": attempt}))
}

async fn wanted(call: &Call, tenant: &Tenant) -> Result<Draft, Problem> {
    let input: Input<'_> = if call.body.is_empty() {
        Input::default()
    } else {
        json::check_depth(&call.body)?;
        // The type check gives pointers; the second reading keeps the data's bytes.
        let value: serde_json::Value = json::value(&call.body)?;
        check(value)?;
        serde_json::from_slice(&call.body).map_err(|error| json::not_json(&error))?
    };
    match (input.event_type, input.event) {
        (None, Some(raw)) => event(call, tenant, raw),
        (Some(event_type), None) => example(call, tenant, &event_type).await,
        _ => Err(Problem::field("", &codes::REQUIRED, "Give either `event_type` or `event`.")),
    }
}

fn check(value: serde_json::Value) -> Result<(), Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shape {
        #[serde(default, rename = "event_type")]
        _event_type: Option<String>,
        #[serde(default, rename = "event")]
        _event: Option<serde_json::Value>,
    }
    json::into::<Shape>(value, &[]).map(|_| ())
}

fn event(call: &Call, tenant: &Tenant, raw: &RawValue) -> Result<Draft, Problem> {
    let given = given(call, tenant);
    let under = |mut problem: Problem| {
        for error in &mut problem.errors {
            error.pointer = format!("/event{}", error.pointer);
        }
        problem
    };
    let fields = Fields::read(&call.body, raw).map_err(|error: FieldError| under(Problem::input(vec![error])))?;
    draft(Envelope::plain(fields), &given).map_err(under)
}

fn given(call: &Call, tenant: &Tenant) -> Given {
    Given {
        tenant: Some(tenant.id.to_string()),
        reserved: tenant.id.is_reserved(),
        traceparent: None,
        max_payload: call.state.options.max_payload,
    }
}

/// The first example of an event type.
async fn example(call: &Call, tenant: &Tenant, name: &str) -> Result<Draft, Problem> {
    let found = call.state.store.event_type(call.environment()?.no, name).await?;
    let body = found.map(|row| row.body).unwrap_or_default();
    let data = body.get("examples").and_then(|examples| examples.get(0)).ok_or_else(|| {
        let detail = "The catalogue has no example of this type.";
        Problem::field("/event_type", &codes::UNKNOWN_EVENT_TYPE, detail)
    })?;
    Ok(Draft::new(tenant.id.clone(), name, Bytes::from(data.to_string())))
}
