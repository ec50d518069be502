//! Events and deliveries.

use crate::foreign::Foreign;
use crate::help;
use crate::when::{Bytes, Span, When};
use serde::Deserialize;
use std::collections::BTreeMap;

/// An event of a list.
#[derive(Clone, Debug, Deserialize)]
pub struct EventSummary {
    /// Ours.
    pub uid: Foreign,
    /// The vendor's.
    pub id: Foreign,
    /// `order.created`.
    #[serde(rename = "type")]
    pub event_type: Foreign,
    /// Where it came from.
    pub source: Foreign,
    /// What it is about.
    pub subject: Option<Foreign>,
    /// When it was accepted.
    pub accepted_at: When,
    /// Bytes of the payload.
    pub payload_bytes: Bytes,
    /// `publish`, `test`.
    pub origin: Foreign,
}

/// An event with what became of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    /// What lists show.
    #[serde(flatten)]
    pub summary: EventSummary,
    /// When it happened, as the vendor says.
    pub time: Foreign,
    /// Content type of the payload.
    pub datacontenttype: Foreign,
    /// Further attributes.
    pub attributes: BTreeMap<Foreign, serde_json::Value>,
    /// Its end, or present state, at every destination.
    pub destinations: Vec<Place>,
}

/// What became of an event at one destination.
#[derive(Clone, Debug, Deserialize)]
pub struct Place {
    /// The destination's id; `None` if it is gone with its tenant's.
    pub destination: Option<Foreign>,
    /// A delivery's state, `filtered` or `skipped`.
    pub state: Foreign,
    /// Why.
    pub reason: Option<Foreign>,
    /// The newest delivery.
    pub delivery: Option<Foreign>,
    /// While it waits.
    pub next_attempt_at: Option<When>,
    /// When it ended.
    pub ended_at: Option<When>,
    /// All deliveries, replays included.
    pub deliveries: Vec<Brief>,
}

/// A delivery of a place.
#[derive(Clone, Debug, Deserialize)]
pub struct Brief {
    /// Which.
    pub id: Foreign,
    /// Its state.
    pub state: Foreign,
    /// What made it.
    pub origin: Foreign,
}

/// A delivery.
#[derive(Clone, Debug, Deserialize)]
pub struct Delivery {
    /// Which.
    pub id: Foreign,
    /// Its event's uid.
    pub event: Foreign,
    /// Its event's id.
    pub event_id: Foreign,
    /// Its event's type.
    pub event_type: Foreign,
    /// Where it goes.
    pub destination: Option<Foreign>,
    /// Its state.
    pub state: Foreign,
    /// Code of the end, or of the last attempt.
    pub code: Option<Foreign>,
    /// Attempts made.
    pub attempts: u32,
    /// Attempts of the schedule used up.
    pub attempts_counted: u32,
    /// What made it.
    pub origin: Foreign,
    /// The delivery that it repeats.
    pub previous: Option<Foreign>,
    /// When it was made.
    pub created_at: When,
    /// While it waits.
    pub next_attempt_at: Option<When>,
    /// When it ended.
    pub ended_at: Option<When>,
    /// The last attempt.
    pub last_attempt: Option<LastAttempt>,
}

impl Delivery {
    /// When it last changed.
    #[must_use]
    pub fn at(&self) -> When {
        self.ended_at.or_else(|| self.last_attempt.as_ref().map(|last| last.started_at)).unwrap_or(self.created_at)
    }

    /// What the last attempt said; empty before the first.
    #[must_use]
    pub fn message(&self) -> Foreign {
        self.last_attempt.as_ref().map(|last| last.message.clone()).unwrap_or_default()
    }
}

/// An attempt without what went over the wire.
#[derive(Clone, Debug, Deserialize)]
pub struct LastAttempt {
    /// Counts from 1.
    pub n: u32,
    /// When it started.
    pub started_at: When,
    /// How long it took.
    pub duration_ms: Span,
    /// What it came to.
    pub outcome: Foreign,
    /// Why.
    pub code: Foreign,
    /// For the customer.
    pub message: Foreign,
}

impl LastAttempt {
    /// What its code means.
    #[must_use]
    pub fn help(&self) -> &'static str {
        help::of(self.code.as_str())
    }
}
