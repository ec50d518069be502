//! Destinations.

use crate::foreign::Foreign;
use crate::when::{Bytes, Count, Span, When};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A destination.
#[derive(Clone, Debug, Deserialize)]
pub struct Destination {
    /// Its id.
    pub id: Foreign,
    /// Whose.
    pub tenant: Foreign,
    /// For people.
    pub name: Option<Foreign>,
    /// Its connector.
    pub connector: Foreign,
    /// The connector's version.
    pub connector_version: Foreign,
    /// One line for lists.
    pub target: Option<Foreign>,
    /// For trust policies of roles, where the connector can assume one.
    #[serde(default)]
    pub external_id: Option<Foreign>,
    /// The connector's configuration.
    pub config: Map<String, Value>,
    /// Masks by field.
    pub credentials: BTreeMap<Foreign, Credential>,
    /// An event pattern.
    pub filter: Option<Value>,
    /// Field selection.
    pub fields: Option<Fields>,
    /// A transform.
    pub transform: Option<Value>,
    /// `active`, `failing`, `paused`, `disabled`.
    pub state: Foreign,
    /// Why, where it is not active.
    pub state_reason: Option<Foreign>,
    /// Its breaker.
    pub health: Health,
    /// The vendor's notes.
    pub metadata: BTreeMap<Foreign, Foreign>,
    /// What is in force.
    pub effective: Effective,
    /// Waiting deliveries.
    pub waiting: Count,
    /// Which deliveries keep their order.
    pub ordering: Value,
    /// When it was made.
    pub created_at: When,
    /// When it was last written.
    pub updated_at: When,
}

/// A credential, as far as it shows.
#[derive(Clone, Debug, Deserialize)]
pub struct Credential {
    /// What may be seen of it.
    pub mask: Foreign,
    /// Counts from 1.
    pub version: u32,
    /// When it was set.
    pub set_at: When,
    /// The one that it replaces, while that is used beside it.
    #[serde(default)]
    pub previous: Option<Box<Self>>,
    /// The end of an older one.
    #[serde(default)]
    pub expires_at: Option<When>,
}

/// Lists of JSON Pointers.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Fields {
    /// Only these.
    #[serde(default)]
    pub include: Vec<Foreign>,
    /// Not these.
    #[serde(default)]
    pub exclude: Vec<Foreign>,
}

/// A breaker.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Health {
    /// The first failure of the row.
    pub failing_since: Option<When>,
    /// Failures in a row.
    pub consecutive_failures: u32,
    /// The next probe.
    pub next_probe_at: Option<When>,
    /// The last delivery that arrived.
    pub last_delivered_at: Option<When>,
}

/// What is in force.
#[derive(Clone, Debug, Deserialize)]
pub struct Effective {
    /// Patterns.
    pub event_types: Vec<Foreign>,
    /// When a failed delivery is tried again.
    pub retry: Value,
    /// One hand-over's deadline.
    pub timeout_ms: Span,
    /// At most so many in flight.
    pub concurrency: Count,
    /// At most so many a second.
    pub rate_limit: Option<RateLimit>,
    /// What the destination sees as one request.
    pub batch: Option<Batch>,
}

/// A token bucket.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct RateLimit {
    /// Events a second.
    pub per_second: f64,
    /// At once.
    pub burst: u32,
}

/// Bounds of a batch.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Batch {
    /// Events.
    pub max_events: u32,
    /// Bytes.
    pub max_bytes: Bytes,
    /// How long it waits to be full.
    pub linger_ms: Span,
}

impl Destination {
    /// What it is called on pages.
    #[must_use]
    pub fn title(&self) -> &Foreign {
        self.name.as_ref().unwrap_or(&self.id)
    }

    /// Its page.
    #[must_use]
    pub fn href(&self) -> String {
        format!("/ui/tenants/{}/destinations/{}", self.tenant.step(), self.id.step())
    }

    /// Its health in words.
    #[must_use]
    pub fn health_words(&self, now: &When) -> String {
        let health = &self.health;
        match self.state.as_str() {
            "failing" => {
                let since = health.failing_since.map_or_else(String::new, |at| format!(", since {}", at.from(now)));
                let probe =
                    health.next_probe_at.map_or_else(String::new, |at| format!("; the next one {}", at.from(now)));
                let row = health.consecutive_failures;
                format!("{row} failures in a row{since}. Only probes are sent{probe}. Deliveries wait.")
            }
            "paused" => "Paused by a person. Deliveries wait until it is resumed, at most the retention.".to_owned(),
            "disabled" => {
                "Disabled. New events are skipped; what waited goes on waiting until it is enabled.".to_owned()
            }
            _ if health.consecutive_failures > 0 => {
                format!("Takes events; the last {} attempts failed.", health.consecutive_failures)
            }
            _ => match health.last_delivered_at {
                Some(at) => format!("Takes events; the last one arrived {}.", at.from(now)),
                None => "Takes events.".to_owned(),
            },
        }
    }

    /// What it subscribes to.
    #[must_use]
    pub fn subscribes(&self) -> String {
        let types: Vec<_> = self.effective.event_types.iter().map(ToString::to_string).collect();
        if types == ["*"] { "every event type".to_owned() } else { types.join(", ") }
    }

    /// What it gets of an event.
    #[must_use]
    pub fn shape(&self) -> String {
        let fields = self.fields.as_ref();
        let count = |list: fn(&Fields) -> &Vec<Foreign>| fields.map_or(0, |fields| list(fields).len());
        let (kept, dropped) = (count(|fields| &fields.include), count(|fields| &fields.exclude));
        let selected = match (kept, dropped) {
            (0, 0) => "whole payload".to_owned(),
            (kept, 0) => format!("{} kept", fields_of(kept)),
            (0, dropped) => format!("{} dropped", fields_of(dropped)),
            (kept, dropped) => format!("{} kept, {dropped} of them dropped", fields_of(kept)),
        };
        if self.transform.is_some() { format!("{selected}, transformed") } else { selected }
    }

    /// How events go together, in words.
    #[must_use]
    pub fn batch_words(&self) -> String {
        match self.effective.batch {
            Some(Batch { max_events: max @ 2.., max_bytes, linger_ms }) => {
                format!("up to {max} events, {max_bytes}, after {linger_ms}")
            }
            _ => "none".to_owned(),
        }
    }

    /// The filter, laid out.
    #[must_use]
    pub fn filter_text(&self) -> Option<Foreign> {
        self.filter.as_ref().map(|filter| Foreign(format!("{filter:#}")))
    }

    /// The connector's configuration, a member a row.
    #[must_use]
    pub fn config_rows(&self) -> Vec<(Foreign, Foreign)> {
        let shown = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        self.config.iter().map(|(name, value)| (Foreign(name.clone()), Foreign(shown(value)))).collect()
    }

    /// The retry policy in words.
    #[must_use]
    pub fn retry_words(&self) -> String {
        let number = |name: &str| self.effective.retry[name].as_u64().unwrap_or(0);
        if let Some(delays) = self.effective.retry["schedule_ms"].as_array() {
            let delays: Vec<_> = delays.iter().filter_map(Value::as_u64).map(|ms| Span(ms).to_string()).collect();
            return match delays.len() {
                0 => "one attempt, no retry".to_owned(),
                more => format!("{} attempts, after {}", more + 1, delays.join(", ")),
            };
        }
        let factor = self.effective.retry["factor"].as_f64().unwrap_or(1.0);
        format!(
            "after {}, then {factor} times longer each, at most {}, for {}",
            Span(number("initial_ms")),
            Span(number("max_ms")),
            Span(number("window_ms"))
        )
    }

    /// Which deliveries keep their order, in words.
    #[must_use]
    pub fn ordering_words(&self) -> Foreign {
        match &self.ordering {
            Value::String(whole) if whole == "destination" => "all events in order".into(),
            Value::Object(lane) => Foreign(format!("in order of {}", lane.get("key").unwrap_or(&Value::Null))),
            _ => "none".into(),
        }
    }
}

fn fields_of(count: usize) -> String {
    if count == 1 { "1 field".to_owned() } else { format!("{count} fields") }
}
