//! Connectors as the API needs them: the manifest, and its configuration schema compiled once.

use crate::codes;
use crate::json::token;
use crate::problem::FieldError;
use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use railhead_delivery::Catalog;
use railhead_model::Manifest;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Connectors by name.
#[derive(Debug, Default)]
pub struct Connectors(BTreeMap<String, Connector>);

/// One connector.
pub struct Connector {
    /// Its manifest.
    pub manifest: Arc<Manifest>,
    /// Its compiled schema; `Err` holds why it cannot be used (then no destination of it can be written).
    schema: Result<Validator, String>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("name", &self.manifest.name).finish_non_exhaustive()
    }
}

/// Errors of one configuration that are collected at most: one more than a problem names, so that it says "and more".
const MAX_ERRORS: usize = crate::problem::MAX_ERRORS + 1;

impl Connectors {
    /// Compiles every schema. Schemas may come from third parties: no reference leaves the schema, and patterns run on a
    /// linear-time engine.
    #[must_use]
    pub fn compile(catalog: &Catalog) -> Self {
        Self(catalog.iter().map(|manifest| (manifest.name.clone(), Connector::compile(manifest))).collect())
    }

    /// A connector by name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Connector> {
        self.0.get(name)
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Connector> {
        self.0.values()
    }
}

/// A JSON Schema with a linear regular expression engine; nothing is fetched for a `$ref`.
///
/// # Errors
/// Why it is none, without the schema's own values.
pub fn compile_schema(schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(PatternOptions::regex().size_limit(1 << 20))
        .should_validate_formats(true)
        .build(schema)
        .map_err(|error| error.masked_with("a value").to_string())
}

impl Connector {
    fn compile(manifest: &Arc<Manifest>) -> Self {
        let schema = compile_schema(&manifest.config_schema);
        if let Err(error) = &schema {
            tracing::error!(connector = manifest.name, %error, "the configuration schema cannot be used");
        }
        Self { manifest: Arc::clone(manifest), schema }
    }

    /// Checks a configuration; errors point into the destination's body.
    #[must_use]
    pub fn check(&self, config: &Map<String, Value>) -> Vec<FieldError> {
        match &self.schema {
            Ok(schema) => {
                let config = Value::Object(config.clone());
                schema.iter_errors(&config).flat_map(|error| field_errors(&error)).take(MAX_ERRORS).collect()
            }
            Err(_) => {
                let detail = "The connector's configuration schema cannot be used; tell the operator of the host.";
                vec![FieldError::new("/connector", &codes::NOT_AVAILABLE, detail)]
            }
        }
    }
}

fn field_errors(error: &ValidationError<'_>) -> Vec<FieldError> {
    let pointer = format!("/config{}", error.instance_path());
    let unexpected = |names: &[String]| {
        let one = |name: &String| {
            let detail = "The connector has no such configuration field.";
            FieldError::new(format!("{pointer}/{}", token(name)), &codes::UNKNOWN_FIELD, detail)
        };
        names.iter().take(MAX_ERRORS).map(one).collect()
    };
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected: names }
        | ValidationErrorKind::UnevaluatedProperties { unexpected: names } => unexpected(names),
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            vec![FieldError::new(format!("{pointer}/{}", token(name)), &codes::REQUIRED, "This field is needed.")]
        }
        ValidationErrorKind::Type { .. } => vec![FieldError::new(pointer, &codes::WRONG_TYPE, sentence(error))],
        _ => vec![FieldError::new(pointer, &codes::INVALID_VALUE, sentence(error))],
    }
}

/// The validator's words with the value left out: a configuration may hold what its owner did not mean to show.
fn sentence(error: &ValidationError<'_>) -> String {
    let words: String = error.masked_with("the value").to_string().chars().take(500).collect();
    format!("{words}.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn errors(schema: Value, config: Value) -> Vec<(String, &'static str)> {
        let manifest = json!({"name": "x", "version": "1.0.0", "contract": "0.1.0", "label": "X", "category": "http",
            "config_schema": schema, "origins": []});
        let manifest = serde_json::from_value(manifest).expect("a manifest");
        let connectors = Connectors::compile(&Catalog::new([manifest]));
        let config = config.as_object().cloned().unwrap_or_default();
        let connector = connectors.get("x").expect("it");
        connector.check(&config).into_iter().map(|error| (error.pointer, error.code)).collect()
    }

    #[test]
    fn errors_point_at_the_field() {
        let schema = json!({"type": "object", "additionalProperties": false, "required": ["url"],
            "properties": {"url": {"type": "string", "minLength": 3}, "headers": {"type": "object",
                "additionalProperties": {"type": "string"}}}});
        assert_eq!(errors(schema.clone(), json!({})), [("/config/url".into(), "required")]);
        assert_eq!(errors(schema.clone(), json!({"url": 1})), [("/config/url".into(), "wrong-type")]);
        assert_eq!(errors(schema.clone(), json!({"url": "x"})), [("/config/url".into(), "invalid-value")]);
        assert_eq!(errors(schema.clone(), json!({"url": "abc", "a/b": 1})), [("/config/a~1b".into(), "unknown-field")]);
        let nested = json!({"url": "abc", "headers": {"x": 1}});
        assert_eq!(errors(schema, nested), [("/config/headers/x".into(), "wrong-type")]);
    }

    #[test]
    fn the_webhook_of_this_repository_has_a_schema_that_works() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/tests/webhook/manifest.json");
        let manifest = serde_json::from_str(&std::fs::read_to_string(file).expect("a file")).expect("a manifest");
        let connectors = Connectors::compile(&Catalog::new([manifest]));
        let webhook = connectors.get("webhook").expect("it");
        let check = |config: Value| webhook.check(config.as_object().expect("an object"));
        let good = json!({"url": "https://hooks.example.com/x", "mode": "raw", "headers": {"x-a": "b"},
            "status_outcomes": {"404": "permanent"}, "header_prefix": "svix-"});
        assert_eq!(check(good), []);
        assert_eq!(check(json!({"url": "hooks.example.com"})).len(), 2, "format and pattern");
        assert_eq!(check(json!({"url": "https://h.example/x", "modus": "raw"}))[0].pointer, "/config/modus");
    }

    #[test]
    fn foreign_schemas_reach_nothing_and_do_not_backtrack() {
        let remote = json!({"$ref": "http://127.0.0.1:9/schema.json"});
        assert_eq!(errors(remote, json!({})), [("/connector".into(), "not-available")]);
        let lookahead = json!({"properties": {"a": {"pattern": "(?=a)a"}}});
        assert_eq!(errors(lookahead, json!({"a": "a"})), [("/connector".into(), "not-available")]);
        let evil = json!({"properties": {"a": {"pattern": "^(a+)+$"}}});
        assert_eq!(errors(evil, json!({"a": format!("{}!", "a".repeat(100_000))})).len(), 1);
    }
}
