//! The operator's own credentials of connectors: from the settings, for all tenants, shown to nobody.

use crate::config::ConfigError;
use railhead_model::Manifest;
use railhead_model::manifest::{CredentialField, CredentialKind};
use railhead_sandbox::CredentialValue;
use railhead_sandbox::secret::Secret;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use zeroize::Zeroizing;

/// Values by connector and field. Does not print them.
#[derive(Clone, Default)]
pub struct OperatorCredentials(BTreeMap<(String, String), Zeroizing<String>>);

impl std::fmt::Debug for OperatorCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("OperatorCredentials").field(&self.0.keys()).finish()
    }
}

/// The settings that hold them as JSON.
const TEXT: &str = "RAILHEAD_CONNECTOR_CREDENTIALS";
const FILE: &str = "RAILHEAD_CONNECTOR_CREDENTIALS_FILE";

impl OperatorCredentials {
    /// From the tables of the configuration file, and over them from JSON: `{"<connector>": {"<field>": value}}`, as text or
    /// in a file. A value is a text, or an object for kinds that have members.
    ///
    /// # Errors
    /// Which setting is wrong; no value is in it.
    pub fn read(
        tables: impl Iterator<Item = (String, toml::Table)>,
        text: Option<String>,
        file: Option<&Path>,
    ) -> Result<Self, ConfigError> {
        let mut all = Self::default();
        for (connector, fields) in tables {
            let fields = serde_json::to_value(fields).unwrap_or_default();
            all.add("connectors", &connector, fields)?;
        }
        let (name, text) = match (text.filter(|text| !text.is_empty()), file) {
            (Some(_), Some(_)) => return Err(wrong(TEXT, format!("set it or {FILE}, not both"))),
            (Some(text), None) => (TEXT, Zeroizing::new(text)),
            (None, Some(path)) => {
                let read = std::fs::read_to_string(path);
                let read = read.map_err(|error| wrong(FILE, format!("cannot read {}: {error}", path.display())))?;
                (FILE, Zeroizing::new(read))
            }
            (None, None) => return Ok(all),
        };
        let expected = || wrong(name, r#"expected JSON such as {"s3": {"assume_role": {…}}}"#.to_owned());
        // The parser's own words could hold a piece of a value.
        let given: BTreeMap<String, Value> = serde_json::from_str(&text).map_err(|_| expected())?;
        for (connector, fields) in given {
            all.add(name, &connector, fields)?;
        }
        Ok(all)
    }

    fn add(&mut self, setting: &'static str, connector: &str, fields: Value) -> Result<(), ConfigError> {
        let Value::Object(fields) = fields else {
            return Err(wrong(setting, format!("expected an object of fields for the connector `{connector}`")));
        };
        for (field, value) in fields {
            let text = match value {
                Value::String(text) => text,
                Value::Object(_) => value.to_string(),
                _ => return Err(wrong(setting, format!("expected a text or an object for {connector}.{field}"))),
            };
            self.0.insert((connector.to_owned(), field), Zeroizing::new(text));
        }
        Ok(())
    }

    /// Judges all values by the manifests of connectors that this host has.
    ///
    /// # Errors
    /// Which connector or field is unknown, or whose value is none of its kind; no value is in it.
    pub fn check<'a>(&self, manifest: impl Fn(&str) -> Option<&'a Manifest>) -> Result<(), String> {
        for ((connector, name), value) in &self.0 {
            let place = format!("connectors.{connector}.credentials.{name}");
            let Some(manifest) = manifest(connector) else {
                return Err(format!("{place}: this host has no connector `{connector}`"));
            };
            let mut own = manifest.credentials.iter().filter(|field| field.operator);
            let Some(field) = own.find(|field| field.name == *name) else {
                return Err(format!("{place}: the connector has no such credential of the operator's"));
            };
            Secret::parse(name, field.kind, field.usage, &field.origins, value.as_bytes())
                .map_err(|error| format!("{place}: {error}"))?;
        }
        Ok(())
    }

    /// Connectors and fields that have a value.
    pub fn fields(&self) -> impl Iterator<Item = (String, String)> {
        self.0.keys().cloned()
    }

    /// A field's value for a call of a tenant with this external id.
    pub fn opened(
        &self,
        connector: &str,
        field: &CredentialField,
        external_id: impl FnOnce() -> String,
    ) -> Option<CredentialValue> {
        let value = self.0.get(&(connector.to_owned(), field.name.clone()))?;
        let mut bytes = Zeroizing::new(value.as_bytes().to_vec());
        if field.kind == CredentialKind::Aws
            && let Ok(Value::Object(mut members)) = serde_json::from_str(value)
        {
            members.insert("external_id".to_owned(), external_id().into());
            bytes = Zeroizing::new(Value::Object(members).to_string().into_bytes());
        }
        // It is the same for as long as the host runs.
        Some(CredentialValue {
            field: field.name.clone(),
            version: 0,
            kind: field.kind,
            usage: field.usage,
            value: bytes,
        })
    }
}

fn wrong(name: &'static str, why: String) -> ConfigError {
    ConfigError::Setting { name, why }
}

#[cfg(test)]
mod tests;
