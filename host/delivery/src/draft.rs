//! What is published, and what comes of it.

use bytes::Bytes;
use railhead_model::{EventUid, TenantId};
use std::collections::BTreeMap;

/// An event as a publisher gave it, checked for form (lengths, characters, attribute names) and not yet routed.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Whose.
    pub tenant: TenantId,
    /// The vendor's id, 1 to 256 characters; `None`: the uid stands in, and no duplicate is looked for.
    pub id: Option<String>,
    /// `order.created`.
    pub event_type: String,
    /// CloudEvents `time` exactly as given.
    pub time: Option<String>,
    /// CloudEvents `source`; `None` is `/`.
    pub source: Option<String>,
    /// CloudEvents `subject`.
    pub subject: Option<String>,
    /// CloudEvents extension attributes, without `tenant`.
    pub attributes: BTreeMap<String, String>,
    /// Media type of `data`.
    pub content_type: String,
    /// The payload's bytes, exactly as they came.
    pub data: Bytes,
    /// W3C trace context of the publish; goes on to the destination.
    pub traceparent: Option<String>,
}

impl Draft {
    /// A JSON event with defaults filled in.
    #[must_use]
    pub fn new(tenant: TenantId, event_type: impl Into<String>, data: Bytes) -> Self {
        Self {
            tenant,
            id: None,
            event_type: event_type.into(),
            time: None,
            source: None,
            subject: None,
            attributes: BTreeMap::new(),
            content_type: "application/json".to_owned(),
            data,
            traceparent: None,
        }
    }
}

/// What came of one draft. Accepted and duplicate ones are durable when this is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// Durable, with its deliveries.
    Accepted {
        /// Ours.
        uid: EventUid,
        /// The vendor's, else the text of `uid`.
        id: String,
        /// Destinations that matched.
        deliveries: u32,
    },
    /// The same (tenant, source, id) came before with the same content.
    Duplicate {
        /// Of the first one.
        uid: EventUid,
        /// Of the first one.
        id: String,
        /// Deliveries that the first one made.
        deliveries: u32,
    },
    /// Not accepted, by its own fault; nothing of it was stored.
    Refused(Refusal),
    /// Not acknowledged: its tenant cannot be read now, its configuration is written all the time, or the store did not
    /// answer in time. It may be sent again; one that carries the vendor's id is never stored twice by that.
    Unavailable(String),
    /// Not accepted, because the host is half full and its tenant has more waiting than its share (429); nothing of it
    /// was stored, and it may be sent again.
    OverShare {
        /// Seconds; at least 1.
        retry_after_s: u32,
    },
}

/// Why one draft was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Refusal {
    /// [`Refusal::UNKNOWN_TENANT`] or [`Refusal::EVENT_ID_CONFLICT`].
    pub code: &'static str,
    /// JSON Pointer into the draft: `/tenant`, `/id`.
    pub pointer: &'static str,
    /// For the publisher.
    pub detail: String,
}

impl Refusal {
    /// There is no such tenant, and the environment does not create tenants (404).
    pub const UNKNOWN_TENANT: &'static str = "unknown-tenant";
    /// The same (tenant, source, id) came before with other content (409).
    pub const EVENT_ID_CONFLICT: &'static str = "event-id-conflict";
}

/// The host cannot accept now; nothing of what was sent is acknowledged, and all of it may be sent again.
///
/// Events that carry the vendor's id are never stored twice by that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Overloaded {
    /// The accept queue is full, or the wait would be too long (503 with `Retry-After`).
    #[error("the host is busy; try again in {retry_after_s} s")]
    Busy {
        /// Seconds; at least 1.
        retry_after_s: u32,
    },
    /// The tenant has more waiting than its share (429 with `Retry-After`).
    #[error("the tenant publishes more than its share; try again in {retry_after_s} s")]
    OverShare {
        /// Seconds; at least 1.
        retry_after_s: u32,
    },
    /// The database does not take writes, or the host shuts down (503).
    #[error("the host cannot accept events now: {0}")]
    Unavailable(String),
}
