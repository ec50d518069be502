//! `POST /v1/events`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::codes;
use crate::operation::{Example, Param, Verb, answers, operation};
use crate::problem::{FieldError, Problem};
use crate::publish::{Asked, Given, form, is_traceparent};
use crate::settings::{Limits, Settings};
use http::header::RETRY_AFTER;
use railhead_delivery::{Draft, Overloaded, Published, Refusal};
use railhead_model::TenantId;
use railhead_store::StoreError;
use railhead_store::directory::Expect;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of one request.
const MAX_BODY: usize = 5 * 1024 * 1024;

operation! {
    id: "events.publish",
    verb: Verb::Post,
    path: "/v1/events",
    tag: "events",
    summary: "Publish one event, or up to 1,000",
    about: "Answered only after the event and its deliveries are durable. One event is accepted (202) or refused. The \
            elements of an array are judged one by one: 202 if all were accepted, 207 if some were refused. A host \
            that is busy answers 503, or 429 to a tenant that sends more than its share; `Retry-After` says when to send \
            the same again. So does a host whose database does not answer: no request waits longer than half a minute for \
            it. The same tenant, source and id within 24 hours is a duplicate, and answers with the first event; with other content \
            it is a conflict. Content types: application/json, application/cloudevents+json, \
            application/cloudevents-batch+json, or any with the `ce-` headers of CloudEvents' binary mode.",
    action: Some(Action::EventsWrite),
    query: &[Param { name: "tenant", about: "Stands in where an event names no tenant." }],
    body: "Publish",
    takes: &[],
    max_body: MAX_BODY,
    answers: &[
        answers(202, "Published", "Durable: `accepted`, or a `duplicate` of an earlier one."),
        answers(207, "PublishedMany", "Some of the events were refused: each has its own status."),
    ],
    examples: &[
        Example::json(
            "One event",
            "/v1/events",
            r#"{"tenant": "acme", "type": "order.created", "id": "ord-77", "data": {"order": 77, "total": "19.90"}}"#,
            202,
        ),
        Example::json(
            "An array, of which one is refused",
            "/v1/events?tenant=acme",
            r#"[{"type": "order.created", "data": {"order": 78}}, {"type": "order.created", "date": "?"}]"#,
            207,
        ),
        Example {
            content_type: "application/cloudevents+json",
            ..Example::json(
                "A CloudEvent",
                "/v1/events",
                r#"{"specversion": "1.0", "id": "1", "source": "/shop", "type": "order.paid", "tenant": "acme", "data": {}}"#,
                202,
            )
        },
        Example {
            content_type: "application/cloudevents-batch+json",
            ..Example::json(
                "A batch of CloudEvents",
                "/v1/events?tenant=acme",
                r#"[{"specversion": "1.0", "id": "2", "source": "/shop", "type": "order.paid", "data": [1.50]}]"#,
                202,
            )
        },
        Example {
            content_type: "text/csv",
            headers: &[
                ("ce-specversion", "1.0"),
                ("ce-id", "3"),
                ("ce-source", "/shop"),
                ("ce-type", "report.ready"),
                ("ce-tenant", "acme"),
            ],
            ..Example::json("A CloudEvent in binary mode", "/v1/events", "day;orders\n1;17\n", 202)
        },
    ],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let environment = call.environment()?;
    let settings = Settings::stored(&environment.settings)?;
    let given = given(&call, settings.limits);
    match form(&call.headers)?.read(&call.headers, &call.body, &given)? {
        Asked::One(draft) => {
            let answer = publish(&call, &settings, vec![*draft]).await?.into_iter().next();
            let answer = answer.ok_or_else(|| Problem::internal(&"a publish had no answer"))??;
            Answer::json(202, &answer)
        }
        Asked::Many(drafts) => {
            let answers = publish(&call, &settings, drafts).await?;
            many(answers, &call.request_id)
        }
    }
}

fn given(call: &Call, limits: Limits) -> Given {
    let traceparent = call.headers.get("traceparent").and_then(|value| value.to_str().ok());
    let most = limits.payload_bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(usize::MAX);
    Given {
        tenant: call.query.get("tenant").map(str::to_owned),
        reserved: false,
        traceparent: traceparent.filter(|text| is_traceparent(text)).map(str::to_owned),
        max_payload: most.min(call.state.options.max_payload),
    }
}

/// The answer to an array. Events that may be sent again later say when, all at once.
fn many(answers: Vec<Result<Value, Problem>>, request_id: &str) -> Result<Answer, Problem> {
    let refused = answers.iter().any(Result::is_err);
    let later = answers.iter().filter_map(|answer| answer.as_ref().err()?.retry_after_s).max();
    let events: Vec<_> = answers.into_iter().map(|answer| element(answer, request_id)).collect();
    let answer = Answer::json(if refused { 207 } else { 202 }, &json!({"events": events}))?;
    Ok(match later {
        Some(seconds) => answer.header(RETRY_AFTER, seconds.to_string()),
        None => answer,
    })
}

fn element(answer: Result<Value, Problem>, request_id: &str) -> Value {
    answer.unwrap_or_else(|problem| json!({"status": "rejected", "problem": problem.document(request_id)}))
}

/// Publishes what is valid and answers for all, in order.
async fn publish(
    call: &Call,
    settings: &Settings,
    drafts: Vec<Result<Draft, Problem>>,
) -> Result<Vec<Result<Value, Problem>>, Problem> {
    let mut valid = Vec::with_capacity(drafts.len());
    let judged: Vec<Result<(), Problem>> =
        drafts.into_iter().map(|draft| draft.map(|draft| valid.push(draft))).collect();
    let mut published = if valid.is_empty() { Vec::new() } else { send(call, settings, valid).await? }.into_iter();
    let missing = || Problem::internal(&"the engine answered for fewer events than it was given");
    Ok(judged.into_iter().map(|one| one.and_then(|()| published.next().ok_or_else(missing)?)).collect())
}

/// One answer for each draft; a tenant's trouble is in the answers to its own events.
async fn send(call: &Call, settings: &Settings, drafts: Vec<Draft>) -> Result<Vec<Result<Value, Problem>>, Problem> {
    let environment = call.environment()?.no;
    let again = if settings.create_tenants { drafts.clone() } else { Vec::new() };
    let published = call.state.delivery.publish(environment, drafts).await.map_err(overloaded)?;
    let is_unknown = |answer: &Published, draft: &Draft| {
        let refused = matches!(answer, Published::Refused(refusal) if refusal.code == Refusal::UNKNOWN_TENANT);
        refused && !draft.tenant.is_reserved()
    };
    let second = published.iter().zip(again).enumerate().filter(|(_, (answer, draft))| is_unknown(answer, draft));
    let second: Vec<_> = second.map(|(place, (_, draft))| (place, draft)).collect();
    let mut answers: Vec<_> = published.into_iter().map(answer).collect();
    for (place, again) in send_to_new(call, second).await? {
        if let Some(slot) = answers.get_mut(place) {
            *slot = again;
        }
    }
    Ok(answers)
}

/// Makes the tenants of these drafts and publishes them; each draft comes with its place, and so does its answer.
async fn send_to_new(
    call: &Call,
    drafts: Vec<(usize, Draft)>,
) -> Result<Vec<(usize, Result<Value, Problem>)>, Problem> {
    let tenants: BTreeSet<TenantId> = drafts.iter().map(|(_, draft)| draft.tenant.clone()).collect();
    let mut failed = BTreeMap::new();
    for tenant in tenants {
        if let Err(problem) = create(call, &tenant).await {
            failed.insert(tenant, problem);
        }
    }
    let (mut answers, mut places, mut made) = (Vec::new(), Vec::new(), Vec::new());
    for (place, draft) in drafts {
        match failed.get(&draft.tenant) {
            Some(problem) => answers.push((place, Err(problem.clone()))),
            None => {
                places.push(place);
                made.push(draft);
            }
        }
    }
    if made.is_empty() {
        return Ok(answers);
    }
    match call.state.delivery.publish(call.environment()?.no, made).await {
        Ok(published) => answers.extend(places.into_iter().zip(published.into_iter().map(answer))),
        Err(error) => answers.extend(places.into_iter().map(|place| (place, Err(overloaded(error.clone()))))),
    }
    Ok(answers)
}

/// Makes a tenant with nothing but its id; one that somebody else just made is as good.
async fn create(call: &Call, id: &TenantId) -> Result<(), Problem> {
    let tenant = crate::ops::tenants::put::fresh(call, id.clone())?;
    match call.state.store.put_tenant(&tenant, Expect::Absent).await {
        Ok(tenant) => {
            call.changed(&tenant, &[]);
            Ok(())
        }
        Err(StoreError::Conflict(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn answer(published: Published) -> Result<Value, Problem> {
    match published {
        Published::Accepted { uid, id, deliveries } => {
            Ok(json!({"uid": uid, "id": id, "status": "accepted", "deliveries": deliveries}))
        }
        Published::Duplicate { uid, id, deliveries } => {
            Ok(json!({"uid": uid, "id": id, "status": "duplicate", "deliveries": deliveries}))
        }
        Published::Refused(refusal) => Err(refused(&refusal)),
        Published::Unavailable(why) => Err(overloaded(Overloaded::Unavailable(why))),
        Published::OverShare { retry_after_s } => Err(overloaded(Overloaded::OverShare { retry_after_s })),
    }
}

/// The problem of an event that the engine refused.
pub fn refused(refusal: &Refusal) -> Problem {
    let code = match refusal.code {
        Refusal::UNKNOWN_TENANT => &codes::UNKNOWN_TENANT,
        Refusal::EVENT_ID_CONFLICT => &codes::EVENT_ID_CONFLICT,
        _ => &codes::INVALID_EVENT,
    };
    let error = FieldError::new(refusal.pointer, code, refusal.detail.clone());
    Problem { detail: refusal.detail.clone(), ..Problem::of_fields(code, vec![error]) }
}

/// The problem of a host that cannot accept now.
pub fn overloaded(error: Overloaded) -> Problem {
    match error {
        Overloaded::Busy { retry_after_s } => {
            Problem::new(&codes::OVERLOADED, "The host is busy.").retry_after(u64::from(retry_after_s))
        }
        Overloaded::OverShare { retry_after_s } => {
            Problem::new(&codes::OVER_SHARE, "The tenant has more events waiting than its share of a busy host.")
                .retry_after(u64::from(retry_after_s))
        }
        Overloaded::Unavailable(why) => {
            tracing::warn!(why, "events cannot be accepted now");
            Problem::new(&codes::UNAVAILABLE, "The host cannot accept events at this moment.").retry_after(1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_whose_tenant_cannot_be_read_may_be_sent_again() {
        let problem = answer(Published::Unavailable("its key".into())).expect_err("not accepted");
        assert_eq!((problem.status(), problem.code), (503, &codes::UNAVAILABLE));
        assert_eq!(element(Err(problem), "req_1")["status"], "rejected");
    }

    #[test]
    fn an_array_with_events_over_the_share_says_when_to_send_them_again() {
        let over = |retry_after_s| answer(Published::OverShare { retry_after_s });
        let problem = over(2).expect_err("not accepted");
        assert_eq!((problem.status(), problem.code, problem.retry_after_s), (429, &codes::OVER_SHARE, Some(2)));
        let answer = many(vec![Ok(json!({"status": "accepted"})), over(2), over(1)], "req_1").expect("an answer");
        assert_eq!((answer.status, answer.header_value(&RETRY_AFTER)), (207, Some("2")));
        let answer = many(vec![Ok(json!({"status": "accepted"}))], "req_1").expect("an answer");
        assert_eq!((answer.status, answer.header_value(&RETRY_AFTER)), (202, None));
    }
}
