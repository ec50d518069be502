//! `POST /v1/tenants/{tenant}/replays`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::codes;
use crate::operation::{Example, Verb, answers, operation};
use crate::ops::deliveries::list;
use crate::problem::{FieldError, Problem};
use http::header::LOCATION;
use railhead_model::{DeliveryState, JobId, Timestamp};
use railhead_store::directory::Tenant;
use railhead_store::history::DeliveryFilter;
use railhead_store::jobs::NewReplay;
use serde::Deserialize;

operation! {
    id: "replays.create",
    verb: Verb::Post,
    path: "/v1/tenants/{tenant}/replays",
    tag: "replays",
    summary: "Deliver again what the filter names",
    about: "A durable job: it makes a new delivery for every ended one that the filter matches, of those that ended before \
            it was asked for. Originals stay as they are. A tenant has at most 20 that run: another one is 409 \
            `too-many-replays`.",
    action: Some(Action::DeliveriesWrite),
    body: "ReplayInput",
    answers: &[answers(201, "Replay", "Started.")],
    examples: &[Example::json(
        "All dead letters of one destination",
        "/v1/tenants/acme/replays",
        r#"{"filter": {"destination": "orders", "state": ["dead"]}}"#,
        201,
    )],
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    filter: Filter,
}

/// As the filters of the list of deliveries.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    #[serde(default)]
    destination: Option<String>,
    #[serde(default)]
    state: Option<States>,
    #[serde(default)]
    event_type: Option<String>,
    #[serde(default)]
    event: Option<String>,
    #[serde(default, deserialize_with = "crate::json::time")]
    since: Option<Timestamp>,
    #[serde(default, deserialize_with = "crate::json::time")]
    until: Option<Timestamp>,
    #[serde(default)]
    code: Option<String>,
}

/// Characters of one of the filter's texts.
const MAX_TEXT: usize = 256;
/// States that a filter may name: each once.
const MAX_STATES: usize = 8;

/// One word or several.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a state, or a list of states: delivered, dead, expired, cancelled")]
enum States {
    One(DeliveryState),
    Many(Vec<DeliveryState>),
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let input: Input = call.json(&["/filter"])?;
    check(&input.filter)?;
    let filter = filter(&call, &tenant, input.filter).await?;
    let now = call.state.now();
    let id = JobId::new(now, call.state.random_bytes());
    call.state.store.start_replay(&NewReplay { id, tenant: tenant.no, filter, at: now }).await?;
    call.state.delivery.jobs_changed();
    let answer = Answer::json(201, &super::get::find(&call, &tenant, id).await?)?;
    Ok(answer.header(LOCATION, format!("/v1/tenants/{}/replays/{id}", tenant.id)))
}

fn check(given: &Filter) -> Result<(), Problem> {
    let texts = [
        ("destination", &given.destination),
        ("event_type", &given.event_type),
        ("event", &given.event),
        ("code", &given.code),
    ];
    let long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.chars().count() > MAX_TEXT);
    let detail = format!("Expected at most {MAX_TEXT} characters.");
    let error = |name: &str| FieldError::new(format!("/filter/{name}"), &codes::INVALID_VALUE, detail.clone());
    let mut errors: Vec<_> = texts.iter().filter(|(_, text)| long(text)).map(|(name, _)| error(name)).collect();
    if matches!(&given.state, Some(States::Many(states)) if states.len() > MAX_STATES) {
        errors.push(FieldError::new("/filter/state", &codes::INVALID_VALUE, "Expected each state once."));
    }
    if errors.is_empty() { Ok(()) } else { Err(Problem::input(errors)) }
}

async fn filter(call: &Call, tenant: &Tenant, given: Filter) -> Result<DeliveryFilter, Problem> {
    let states = match given.state {
        None => Vec::new(),
        Some(States::One(state)) => vec![state],
        Some(States::Many(states)) => states,
    };
    if states.iter().any(|state| matches!(state, DeliveryState::Pending | DeliveryState::Retrying)) {
        let detail = "Only deliveries that ended are replayed: delivered, dead, expired, cancelled.";
        return Err(Problem::field("/filter/state", &codes::INVALID_VALUE, detail));
    }
    let destination = match &given.destination {
        None => None,
        Some(text) => Some(list::destination(call, tenant, text).await?.ok_or_else(|| {
            let detail = "The tenant has no such destination.";
            Problem::field("/filter/destination", &codes::UNKNOWN_DESTINATION, detail)
        })?),
    };
    let event =
        match &given.event {
            None => None,
            Some(text) => Some(list::event(call, tenant, text).await?.ok_or_else(|| {
                Problem::field("/filter/event", &codes::INVALID_VALUE, "The tenant has no such event.")
            })?),
        };
    let Filter { event_type, since, until, code, .. } = given;
    Ok(DeliveryFilter { destination, states, event_type, event, since, until, code })
}
