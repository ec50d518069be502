//! The OpenAPI 3.1 document, made from the operations that the router serves.

pub mod schemas;

use crate::codes;
use crate::operation::{Documented, Example, Operation, Place};
use crate::ops;
use serde_json::{Map, Value, json};

/// The document.
#[must_use]
pub fn document() -> Value {
    let mut paths = Map::new();
    for operation in ops::ALL {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.verb.as_str()] = describe(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Railhead",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Event destinations for your customers",
            "description": "Publish events; every customer's destinations get them. Errors are problem documents \
                (RFC 9457) whose `code` has a page under /problems. Lists are newest first unless they say otherwise. \
                An administrator's key names the environment with `?environment=`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "tags": tags(),
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key."}},
            "schemas": schemas::all(),
        },
    })
}

/// Tags in the order of their first operation.
fn tags() -> Vec<Value> {
    let mut names: Vec<&str> = Vec::new();
    for operation in ops::ALL {
        if !names.contains(&operation.tag) {
            names.push(operation.tag);
        }
    }
    names.into_iter().map(|name| json!({"name": name})).collect()
}

fn describe(operation: &Operation) -> Value {
    let mut described = json!({
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": parameters(operation),
        "responses": responses(operation),
    });
    let mut put = |name: &str, value: Value| {
        if let Some(described) = described.as_object_mut() {
            described.insert(name.to_owned(), value);
        }
    };
    if !operation.about.is_empty() {
        put("description", operation.about.into());
    }
    match operation.action {
        Some(action) => put("x-scope", action.scope().into()),
        None => put("security", json!([])),
    }
    if !operation.body.is_empty() {
        put("requestBody", json!({"required": true, "content": content(operation)}));
    }
    put("x-codeSamples", operation.examples.iter().map(sample_of(operation)).collect());
    described
}

/// An example as a person sends it. The same examples are sent by a test.
fn sample_of(operation: &Operation) -> impl Fn(&Example) -> Value {
    move |example| {
        let mut curl = format!("curl -X {} \"$RAILHEAD{}\"", operation.verb.as_str().to_uppercase(), example.path);
        if operation.action.is_some() {
            curl.push_str(" -H \"Authorization: Bearer $KEY\"");
        }
        for (name, value) in example.headers {
            curl.push_str(&format!(" -H '{name}: {value}'"));
        }
        if let Some(body) = example.body {
            curl.push_str(&format!(" -H 'Content-Type: {}' -d '{body}'", example.content_type));
        }
        json!({"lang": "Shell", "label": example.name, "source": curl})
    }
}

/// What the first example has in a path parameter's place.
fn path_example<'a>(operation: &'a Operation, name: &str) -> Option<&'a str> {
    let example = operation.examples.first()?.path.split('?').next()?;
    let wanted = format!("{{{name}}}");
    let place = operation.path.split('/').position(|segment| segment == wanted)?;
    example.split('/').nth(place).filter(|segment| !segment.starts_with('{'))
}

/// Names in braces of a path.
pub fn path_params(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let string = json!({"type": "string"});
    let path = path_params(operation.path).map(|name| {
        let mut parameter = json!({"name": name, "in": "path", "required": true, "schema": string});
        if let Some(example) = path_example(operation, name) {
            parameter["example"] = example.into();
        }
        parameter
    });
    let query = operation.query.iter().map(|param| {
        let schema = if param.name == "limit" {
            json!({"type": "integer", "minimum": 1, "maximum": 200, "default": 50})
        } else {
            string.clone()
        };
        json!({"name": param.name, "in": "query", "description": param.about, "schema": schema})
    });
    let environment = (operation.action.is_some() && operation.place == Place::Environment).then(|| {
        json!({"name": "environment", "in": "query", "schema": string,
            "description": "With the administrator's key: the environment's name."})
    });
    path.chain(query).chain(environment).collect()
}

fn responses(operation: &Operation) -> Value {
    let mut all = Map::new();
    for Documented { status, schema, about } in operation.answers {
        let mut response = json!({"description": about});
        if !schema.is_empty() {
            response["content"] = json!({"application/json": {"schema": reference(schema)}});
        }
        all.insert(status.to_string(), response);
    }
    if operation.action.is_some() {
        let description = "A problem document; its `code` has a page under /problems.";
        all.insert(
            "default".to_owned(),
            json!({"description": description, "content": {"application/problem+json": {"schema": reference("Problem")}}}),
        );
    }
    Value::Object(all)
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn content(operation: &Operation) -> Value {
    let mut content = Map::new();
    for media in operation.takes {
        content.insert((*media).to_owned(), json!({"schema": reference(operation.body)}));
    }
    for example in operation.examples {
        let Example { name, content_type, body: Some(body), .. } = example else { continue };
        let media = content.entry(*content_type).or_insert_with(
            || json!({"schema": if content_type.ends_with("json") { reference(operation.body) } else { json!({}) }}),
        );
        let value = serde_json::from_str(body).unwrap_or_else(|_| Value::from(*body));
        media["examples"][*name] = json!({"value": value});
    }
    Value::Object(content)
}

/// The codes that exist, for the description of problem documents.
fn code_names() -> Vec<&'static str> {
    codes::ALL.iter().map(|code| code.name).collect()
}
