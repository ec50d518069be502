//! A tenant's configured use of a connector.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a destination's owner may set, with defaults filled in. Credentials are apart: they do not come back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestinationSpec {
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The connector's name, such as `webhook`.
    pub connector: String,
    /// The connector's own configuration; fits its manifest's schema.
    #[serde(default)]
    pub config: serde_json::Map<String, serde_json::Value>,
    /// Patterns of event types: `order.*`, `*`; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event_types: Vec<String>,
    /// An event pattern over attributes and data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<serde_json::Value>,
    /// Which fields of the payload are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Fields>,
    /// The transform that shapes the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<TransformRef>,
    /// When a failed delivery is tried again.
    #[serde(default)]
    pub retry: RetryPolicy,
    /// How far retries are scattered.
    #[serde(default)]
    pub jitter: Jitter,
    /// One hand-over's deadline, in milliseconds.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u32,
    /// At most so many events per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// At most so many events in flight.
    #[serde(default = "default_concurrency")]
    pub concurrency: u32,
    /// What the destination sees as one request or object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Batch>,
    /// Which deliveries keep their order.
    #[serde(default)]
    pub ordering: Ordering,
    /// The vendor's own notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// Default of [`DestinationSpec::timeout_ms`].
#[must_use]
pub const fn default_timeout_ms() -> u32 {
    15_000
}

/// Default of [`DestinationSpec::concurrency`].
#[must_use]
pub const fn default_concurrency() -> u32 {
    32
}

/// Lists of JSON Pointers (RFC 6901). `exclude` is taken from what `include` left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fields {
    /// Keep only these; empty keeps all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// Drop these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
}

/// A version of a transform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransformRef {
    /// `trf_…`.
    pub id: String,
    /// Counts from 1.
    pub version: u32,
}

/// When a failed delivery is tried again. Pure data; see [`crate::retry`] for what it yields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RetryPolicy {
    /// The delay before each retry, in milliseconds. One attempt more than entries.
    Schedule(Schedule),
    /// Delays that grow by a factor until the window since the first attempt is over.
    Exponential(Exponential),
}

/// See [`RetryPolicy::Schedule`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Milliseconds before the second attempt, the third, …
    pub schedule_ms: Vec<u64>,
}

/// See [`RetryPolicy::Exponential`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exponential {
    /// The first delay.
    pub initial_ms: u64,
    /// Each next delay is so many times the last; at least 1.
    pub factor: f64,
    /// No delay is longer.
    pub max_ms: u64,
    /// No attempt starts later than this after the first one.
    pub window_ms: u64,
}

/// How a delay `d` is scattered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// From [d/2, d].
    #[default]
    Equal,
    /// From [0, d], but never under a second.
    Full,
    /// Exactly d.
    None,
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Tokens (events) that come per second; above 0.
    pub per_second: f64,
    /// Tokens that the bucket holds; at least 1.
    #[serde(default = "one")]
    pub burst: u32,
}

const fn one() -> u32 {
    1
}

/// Bounds of what the destination sees as one request or object: the first that is reached closes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// Events.
    pub max_events: u32,
    /// Bytes of payload.
    pub max_bytes: u64,
    /// Milliseconds since its first event became due.
    pub linger_ms: u64,
}

impl Batch {
    /// True if several events may go as one request or object; with a bound of 1 each goes by itself.
    #[must_use]
    pub const fn is_batched(&self) -> bool {
        self.max_events > 1
    }
}

/// Which deliveries of a destination keep their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ordering {
    /// None does.
    #[default]
    None,
    /// All do: one lane.
    Destination,
    /// Those whose payload has the same value at this JSON Pointer do.
    Key(String),
}

/// Whether a destination takes part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum DestinationState {
    /// Deliveries flow.
    #[default]
    Active = 0,
    /// A person paused it: deliveries are made, and wait.
    Paused = 1,
    /// Switched off, by a person or by itself: new events are recorded as skipped, waiting ones wait.
    Disabled = 2,
}

impl DestinationState {
    /// Every state, in the order of its number.
    pub const ALL: [Self; 3] = [Self::Active, Self::Paused, Self::Disabled];

    /// The state of a stored number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}
