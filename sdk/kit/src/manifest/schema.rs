//! The schema of a connector's configuration, and the example that has to fit it.

use super::EXAMPLE;
use super::words::names_secret;
use crate::findings::Findings;
use jsonschema::{Draft, PatternOptions, Validator};
use railhead_model::Manifest;
use serde_json::{Map, Value};

/// A field that no schema has.
const UNKNOWN: &str = "railhead_no_such_field";

pub(super) fn check(manifest: &Manifest, example: &Value, findings: &mut Findings) {
    let schema = &manifest.config_schema;
    let validator = match compiled(schema) {
        Ok(validator) => validator,
        Err(why) => {
            findings.check("M2", "the schema is a JSON Schema", Some(format!("config_schema is none: {why}")));
            return findings.check("M6", EXAMPLE, Some("There is no schema that it could fit.".to_owned()));
        }
    };
    findings.holds("M2", "the schema is a JSON Schema", true, String::new);
    walk(schema, "", &mut |at, schema| object(at, schema, findings));
    let named = example.get("connector").and_then(Value::as_str).unwrap_or(&manifest.name);
    findings.holds("M6", "the example is of this connector", named == manifest.name, || {
        format!("example.json is of the connector {named}; this one is {}.", manifest.name)
    });
    let config = example.get("config").cloned().unwrap_or_default();
    let wrong = validator.iter_errors(&config).next();
    findings.check("M6", EXAMPLE, wrong.map(|error| format!("config{}: {error}", error.instance_path())));
    let mut unknown = config;
    if let Value::Object(fields) = &mut unknown {
        fields.insert(UNKNOWN.to_owned(), Value::Bool(true));
    }
    findings.holds("M2", "unknown fields are refused", !validator.is_valid(&unknown), || {
        "The schema takes a field that it does not know: a misspelt setting would be dropped. Set \
         additionalProperties to false."
            .to_owned()
    });
}

/// As the host does: nothing is fetched for a `$ref`, and patterns run on a linear-time engine.
fn compiled(schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(PatternOptions::regex().size_limit(1 << 20))
        .should_validate_formats(true)
        .build(schema)
        .map_err(|error| error.to_string())
}

/// One schema with properties.
fn object(at: &str, schema: &Map<String, Value>, findings: &mut Findings) {
    let at = if at.is_empty() { "The configuration" } else { at };
    let is_type = schema.get("type").and_then(Value::as_str) == Some("object");
    findings.holds("M2", "objects of the schema are closed", !is_type || is_closed(schema), || {
        format!("{at} takes fields that it does not know. Set additionalProperties to false.")
    });
    let Some(Value::Object(properties)) = schema.get("properties") else { return };
    for (name, property) in properties.iter().filter(|_| is_type) {
        let described = property.get("description").or(property.get("$ref")).or(property.get("const")).is_some();
        findings.holds("M9", "fields have descriptions", described, || {
            format!("{at}: {name} has no description. Say what it does and what it is for.")
        });
        let flagged = property.get("writeOnly") == Some(&Value::Bool(true))
            || property.get("format").and_then(Value::as_str) == Some("password");
        findings.holds("C6", "no secret is asked for in the configuration", !flagged && !names_secret(name), || {
            format!("{at}: {name} looks like a secret. The configuration is not sealed; make it a credential field.")
        });
    }
}

/// True if an object has no fields but those of its schema. One without named fields is a map, whose values have a schema.
fn is_closed(schema: &Map<String, Value>) -> bool {
    let others = ["additionalProperties", "unevaluatedProperties"].map(|word| schema.get(word));
    let is = |wanted: &dyn Fn(&Value) -> bool| others.into_iter().flatten().any(wanted);
    is(&|others| *others == Value::Bool(false))
        || (schema.get("properties").is_none() && is(&|others| others.as_object().is_some_and(|map| !map.is_empty())))
}

/// Every schema inside, with the pointer of the field that it is for.
fn walk(schema: &Value, at: &str, visit: &mut impl FnMut(&str, &Map<String, Value>)) {
    let Value::Object(fields) = schema else { return };
    visit(at, fields);
    if let Some(Value::Object(properties)) = fields.get("properties") {
        properties.iter().for_each(|(name, inner)| walk(inner, &format!("{at}/{name}"), visit));
    }
    for word in ["items", "additionalProperties"] {
        if let Some(inner) = fields.get(word) {
            walk(inner, &format!("{at}/*"), visit);
        }
    }
    if let Some(Value::Object(patterns)) = fields.get("patternProperties") {
        patterns.values().for_each(|inner| walk(inner, &format!("{at}/*"), visit));
    }
    for word in ["$defs", "oneOf", "anyOf", "allOf", "prefixItems"] {
        let inner: Vec<&Value> = match fields.get(word) {
            Some(Value::Object(all)) => all.values().collect(),
            Some(Value::Array(all)) => all.iter().collect(),
            _ => Vec::new(),
        };
        inner.into_iter().for_each(|inner| walk(inner, at, visit));
    }
}

/// True if the schema has a field at this JSON Pointer.
pub(super) fn has(schema: &Value, pointer: &str) -> bool {
    let mut names = pointer.split('/');
    names.next() == Some("") && names.clone().next().is_some() && leads(schema, schema, &names.collect::<Vec<_>>())
}

fn leads(root: &Value, schema: &Value, names: &[&str]) -> bool {
    let Some((name, rest)) = names.split_first() else { return true };
    let name = name.replace("~1", "/").replace("~0", "~");
    let properties = schema.get("properties").and_then(|properties| properties.get(&name));
    if properties.is_some_and(|inner| leads(root, inner, rest)) {
        return true;
    }
    let referred = schema.get("$ref").and_then(Value::as_str).and_then(|to| root.pointer(to.strip_prefix('#')?));
    let choices = ["oneOf", "anyOf", "allOf"].into_iter().filter_map(|word| schema.get(word)?.as_array()).flatten();
    referred.into_iter().chain(choices).any(|inner| leads(root, inner, names))
}

/// The names of the outermost fields.
pub(super) fn names(schema: &Value) -> Vec<String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flat_map(Map::keys).cloned().collect()
}
