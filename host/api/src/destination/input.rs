//! The writable part of a destination, as it comes in.

use super::Change;
use crate::json;
use crate::problem::Problem;
use railhead_model::{Batch, DestinationSpec, Fields, Jitter, Ordering, RateLimit};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A destination's body. What is absent or null has its default.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// For people.
    #[serde(default)]
    pub name: Option<String>,
    /// The connector's name.
    pub connector: String,
    /// Its configuration.
    #[serde(default)]
    pub config: Option<Map<String, Value>>,
    /// Plain values to seal; null deletes.
    #[serde(default)]
    pub credentials: BTreeMap<String, Value>,
    /// Patterns.
    #[serde(default)]
    pub event_types: Option<Vec<String>>,
    /// An event pattern.
    #[serde(default)]
    pub filter: Option<Value>,
    /// Field selection.
    #[serde(default)]
    pub fields: Option<Fields>,
    /// Not available yet.
    #[serde(default)]
    pub transform: Option<Value>,
    /// One of two forms.
    #[serde(default)]
    pub retry: Option<Value>,
    /// Scatter.
    #[serde(default)]
    pub jitter: Option<Jitter>,
    /// Deadline.
    #[serde(default)]
    pub timeout_ms: Option<u32>,
    /// Token bucket.
    #[serde(default)]
    pub rate_limit: Option<RateLimit>,
    /// In flight.
    #[serde(default)]
    pub concurrency: Option<u32>,
    /// Bounds.
    #[serde(default)]
    pub batch: Option<BatchInput>,
    /// Order.
    #[serde(default)]
    pub ordering: Option<Ordering>,
    /// Notes.
    #[serde(default)]
    pub metadata: Option<BTreeMap<String, String>>,
}

/// Bounds of a batch; what is absent is as the connector has it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchInput {
    #[serde(default)]
    max_events: Option<u32>,
    #[serde(default)]
    max_bytes: Option<u64>,
    #[serde(default)]
    linger_ms: Option<u64>,
}

impl BatchInput {
    /// All three bounds. A connector without batches has none to lend: whatever is given is refused later.
    #[must_use]
    pub fn over(self, usual: Option<Batch>) -> Batch {
        let usual = usual.unwrap_or(Batch { max_events: 1, max_bytes: 1, linger_ms: 0 });
        Batch {
            max_events: self.max_events.unwrap_or(usual.max_events),
            max_bytes: self.max_bytes.unwrap_or(usual.max_bytes),
            linger_ms: self.linger_ms.unwrap_or(usual.linger_ms),
        }
    }
}

/// Members that are objects.
const NESTED: &[&str] = &["/fields", "/rate_limit", "/batch"];

/// A checked input.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Complete.
    pub spec: DestinationSpec,
    /// What to do with credentials.
    pub changes: Vec<(String, Change)>,
}

impl Input {
    /// A body that stands for the whole destination.
    ///
    /// # Errors
    /// 422.
    pub fn whole(body: Value) -> Result<Self, Problem> {
        json::into(body, NESTED)
    }

    /// What is there, changed by a merge patch.
    ///
    /// # Errors
    /// 422.
    pub fn patched(spec: &DestinationSpec, patch: Value) -> Result<Self, Problem> {
        let mut whole = writable(spec)?;
        let mut patch = patch;
        let credentials = patch.as_object_mut().and_then(|patch| patch.remove("credentials"));
        // The two forms of `retry` do not mix: a new one replaces the old one.
        if let (Some(whole), true) = (whole.as_object_mut(), patch.get("retry").is_some()) {
            whole.remove("retry");
        }
        json::merge(&mut whole, patch);
        // Null deletes a credential, so these are not merged here.
        if let (Some(whole), Some(credentials)) = (whole.as_object_mut(), credentials) {
            whole.insert("credentials".to_owned(), credentials);
        }
        json::into(whole, NESTED)
    }
}

/// The writable fields of what is stored.
///
/// # Errors
/// None in practice: specifications are JSON.
pub fn writable(spec: &DestinationSpec) -> Result<Value, Problem> {
    serde_json::to_value(spec).map_err(|error| Problem::internal(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_bound_that_is_absent_is_the_connectors() {
        let usual = Batch { max_events: 1, max_bytes: 1 << 20, linger_ms: 1_000 };
        let given: BatchInput = serde_json::from_value(json!({"max_events": 3, "linger_ms": 500})).unwrap();
        assert_eq!(given.over(Some(usual)), Batch { max_events: 3, max_bytes: 1 << 20, linger_ms: 500 });
        assert!(serde_json::from_value::<BatchInput>(json!({"events": 3})).is_err());
    }
}
