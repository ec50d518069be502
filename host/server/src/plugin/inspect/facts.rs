//! What a component says of itself, as data and for people.

use railhead_sandbox::{Inspected, inert};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What a component is, as data. Its words are inert: no line break, nothing that a terminal acts on.
pub(super) fn facts(inspected: &Inspected) -> Value {
    let manifest = &inspected.manifest;
    let credentials: Vec<Value> = manifest.credentials.iter().map(|field| json!(field)).collect();
    quiet(json!({
        "name": manifest.name,
        "version": manifest.version,
        "contract": manifest.contract,
        "world": if inspected.is_revealing() { "connector-revealing" } else { "connector" },
        "category": manifest.category,
        "bytes": inspected.bytes,
        "sha256": inspected.sha256,
        "imports": inspected.imports,
        "origins": manifest.origins,
        "credentials": credentials,
        "batch": manifest.batch,
        "max_sessions": manifest.max_sessions,
        "hand_over": manifest.hand_over,
    }))
}

/// With all texts inert.
pub(super) fn quiet(value: Value) -> Value {
    match value {
        Value::String(text) => inert(&text).into(),
        Value::Array(values) => values.into_iter().map(quiet).collect(),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (inert(&name), quiet(value))).collect())
        }
        other => other,
    }
}

pub(super) fn for_people(facts: &Value) -> String {
    let text = |name: &str| facts[name].as_str().map_or_else(|| facts[name].to_string(), str::to_owned);
    let mut shown = format!("{} {}\n\n", text("name"), text("version"));
    for name in ["contract", "world", "category", "bytes", "sha256", "max_sessions", "hand_over"] {
        // Writing to a text cannot fail.
        let _ = writeln!(shown, "  {name:<13} {}", text(name));
    }
    let batch = if facts["batch"].is_null() { "one event a request".to_owned() } else { facts["batch"].to_string() };
    let _ = writeln!(shown, "  {:<13} {batch}", "batch");
    shown.push_str("\nIt uses\n");
    for import in facts["imports"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let _ = writeln!(shown, "  {import}");
    }
    shown.push_str("\nIt connects to\n");
    for line in lines(&facts["origins"], origin) {
        let _ = writeln!(shown, "  {line}");
    }
    shown.push_str("\nIts credentials\n");
    for line in lines(&facts["credentials"], credential) {
        let _ = writeln!(shown, "  {line}");
    }
    shown
}

pub(super) fn lines(values: &Value, line: impl Fn(&Value) -> String) -> Vec<String> {
    values.as_array().into_iter().flatten().map(line).collect()
}

/// An origin in one line.
pub(super) fn origin(origin: &Value) -> String {
    let name = origin["name"].as_str().unwrap_or_default();
    let token = if origin["token_endpoint"] == json!(true) { ", a token endpoint" } else { "" };
    let places = ["literal", "config", "credential", "template", "tcp"].into_iter().find_map(|kind| {
        let place = origin.get(kind)?;
        let place = place.as_str().map_or_else(|| place.to_string(), str::to_owned);
        Some(match kind {
            "literal" => place,
            "config" => format!("what the owner sets at {place}"),
            "credential" => format!("the origin of the credential {place}"),
            "template" => format!("{place}, with what the owner sets"),
            _ => format!("a connection to what the owner sets: {place}"),
        })
    });
    format!("{name}: {}{token}", places.unwrap_or_else(|| origin.to_string()))
}

/// A credential field in one line.
pub(super) fn credential(field: &Value) -> String {
    let text = |name: &str| field[name].as_str().unwrap_or_default().to_owned();
    let mut line = format!("{}: {} for {}", text("name"), text("kind"), text("use"));
    let origins: Vec<&str> = field["origins"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let _ = if origins.is_empty() {
        write!(line, ", to all origins")
    } else {
        write!(line, ", to {}", origins.join(" and "))
    };
    for flag in ["required", "shared", "operator"] {
        if field[flag] == json!(true) {
            let _ = write!(line, ", {flag}");
        }
    }
    line
}
