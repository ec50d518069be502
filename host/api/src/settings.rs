//! An environment's settings: defaults, limits, connectors.

use crate::problem::FieldError;
use crate::problem::Problem;
use crate::{codes, json};
use railhead_model::{Jitter, RateLimit, RetryPolicy};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Settings as the API has them. What is absent has the host's own default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What a destination gets that sets nothing.
    pub defaults: Defaults,
    /// What every tenant may have at most.
    pub limits: Limits,
    /// By connector name; absent: enabled, without defaults.
    pub connectors: BTreeMap<String, ConnectorSettings>,
    /// A publish for an unknown tenant creates it.
    pub create_tenants: bool,
}

/// See [`Settings::defaults`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Defaults {
    /// As in a destination; kept as given, checked when written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Value>,
    /// As in a destination.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Jitter>,
    /// As in a destination.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u32>,
    /// As in a destination.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// As in a destination.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
}

/// A tenant's own limits; they win over those of its environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TenantLimits {
    /// Destinations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destinations: Option<u32>,
}

/// See [`Settings::limits`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Destinations of one tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destinations: Option<u32>,
    /// Bytes of one event's payload; never above the host's own limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_bytes: Option<u32>,
}

/// One connector in an environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConnectorSettings {
    /// False: no destination of it can be made.
    pub enabled: bool,
    /// Configuration that a destination gets where it sets nothing.
    pub defaults: Map<String, Value>,
    /// Names of configuration fields that a destination cannot set.
    pub locked: Vec<String>,
}

impl Default for ConnectorSettings {
    fn default() -> Self {
        Self { enabled: true, defaults: Map::new(), locked: Vec::new() }
    }
}

/// Most destinations of a tenant where no limit is set.
pub const MAX_DESTINATIONS: u32 = 10_000;

impl Settings {
    /// Reads stored settings.
    ///
    /// # Errors
    /// 500 for what this host did not write.
    pub fn stored(value: &Value) -> Result<Self, Problem> {
        let value = if value.is_null() { Value::Object(Map::new()) } else { value.clone() };
        serde_json::from_value(value).map_err(|error| Problem::internal(&error))
    }

    /// Reads and checks settings that somebody wants.
    ///
    /// # Errors
    /// 422.
    pub fn checked(value: Value) -> Result<Self, Problem> {
        let settings: Self = json::into(value, &["/defaults", "/defaults/rate_limit", "/limits", "/connectors"])?;
        let mut errors = Vec::new();
        let defaults = &settings.defaults;
        if let Some(retry) = &defaults.retry
            && let Err(mut wrong) = crate::destination::retry("/defaults/retry", retry)
        {
            errors.append(&mut wrong);
        }
        crate::destination::check_timeout("/defaults/timeout_ms", defaults.timeout_ms, &mut errors);
        crate::destination::check_concurrency("/defaults/concurrency", defaults.concurrency, &mut errors);
        crate::destination::check_rate("/defaults/rate_limit", defaults.rate_limit, &mut errors);
        check_limit("/limits/destinations", settings.limits.destinations, MAX_DESTINATIONS, &mut errors);
        if errors.is_empty() { Ok(settings) } else { Err(Problem::input(errors)) }
    }

    /// The default retry policy.
    #[must_use]
    pub fn retry(&self) -> RetryPolicy {
        let policy = self.defaults.retry.as_ref().and_then(|value| crate::destination::retry("", value).ok());
        policy.unwrap_or_default()
    }

    /// A connector's settings.
    #[must_use]
    pub fn connector(&self, name: &str) -> ConnectorSettings {
        self.connectors.get(name).cloned().unwrap_or_default()
    }
}

/// A limit from 0 to what the host allows.
pub fn check_limit(pointer: &str, limit: Option<u32>, most: u32, errors: &mut Vec<FieldError>) {
    if limit.is_some_and(|limit| limit > most) {
        errors.push(FieldError::new(pointer, &codes::INVALID_VALUE, format!("Expected a number from 0 to {most}.")));
    }
}
