//! `PUT /v1/event-types/{type}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, Verb, answers, operation};
use crate::problem::{FieldError, Problem};
use crate::{codes, publish, views};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

operation! {
    id: "event-types.put",
    verb: Verb::Put,
    path: "/v1/event-types/{type}",
    tag: "event types",
    summary: "Create or replace an event type",
    about: "For the catalogue that customers choose from; the first of `examples` is the payload of a test event.",
    action: Some(Action::EventTypes),
    body: "EventTypeInput",
    answers: &[answers(201, "EventType", "Created."), answers(200, "EventType", "Replaced.")],
    examples: &[Example::json(
        "A type with an example",
        "/v1/event-types/order.paid",
        r#"{"description": "An order was paid.", "group": "orders", "examples": [{"order": 77}]}"#,
        201,
    )],
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Input {
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    group: Option<String>,
    #[serde(default)]
    schema: Option<Value>,
    #[serde(default)]
    examples: Vec<Value>,
    #[serde(default)]
    deprecated: bool,
}

/// Characters of a description; of a group.
const MAX_TEXTS: (usize, usize) = (4_000, 128);
/// Examples of one type.
const MAX_EXAMPLES: usize = 20;

async fn run(call: Call) -> Result<Answer, Problem> {
    let name = call.param("type");
    if !publish::is_type(name) {
        let detail = "The type in the path: 1 to 256 characters without spaces and `*`.";
        return Err(Problem::field("", &codes::INVALID_VALUE, detail));
    }
    let input: Input = call.json(&[])?;
    check(&input)?;
    let environment = call.environment()?.no;
    let found = call.state.store.event_type(environment, name).await?;
    let if_match = call.if_match()?;
    let expect = if_match.check(found.as_ref().map(|row| row.revision))?;
    let put = call.state.store.put_event_type(environment, name, &json!(input), call.state.now(), expect).await;
    let row = put.map_err(|error| if_match.lost(error))?;
    Ok(Answer::json(if found.is_some() { 200 } else { 201 }, &views::event_type(&row))?.etag(row.revision))
}

fn check(input: &Input) -> Result<(), Problem> {
    let mut errors = Vec::new();
    let long = |text: &Option<String>, most| text.as_ref().is_some_and(|text| text.chars().count() > most);
    for (pointer, text, most) in
        [("/description", &input.description, MAX_TEXTS.0), ("/group", &input.group, MAX_TEXTS.1)]
    {
        if long(text, most) {
            errors.push(FieldError::new(
                pointer,
                &codes::INVALID_VALUE,
                format!("Expected at most {most} characters."),
            ));
        }
    }
    if input.schema.as_ref().is_some_and(|schema| !schema.is_object() && !schema.is_boolean()) {
        errors.push(FieldError::new("/schema", &codes::WRONG_TYPE, "Expected a JSON Schema: an object."));
    }
    if let Some(schema) = input.schema.as_ref().filter(|schema| schema.is_object())
        && let Err(why) = crate::connectors::compile_schema(schema)
    {
        let detail = format!("Not a JSON Schema (2020-12): {}.", why.chars().take(300).collect::<String>());
        errors.push(FieldError::new("/schema", &codes::INVALID_VALUE, detail));
    }
    if input.examples.len() > MAX_EXAMPLES {
        let detail = format!("Expected at most {MAX_EXAMPLES}.");
        errors.push(FieldError::new("/examples", &codes::INVALID_VALUE, detail));
    }
    if errors.is_empty() { Ok(()) } else { Err(Problem::input(errors)) }
}
