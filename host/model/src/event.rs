//! An event as it was published.

use crate::ids::EventUid;
use crate::time::Timestamp;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An accepted event, opened: what routing, transforms and connectors see.
///
/// `data` is kept exactly as it came: what is signed and sent is those bytes unless a transform changed them.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Ours.
    pub uid: EventUid,
    /// The vendor's, up to 256 characters; else the text of `uid`.
    pub id: String,
    /// `order.created`.
    pub event_type: String,
    /// When the host accepted it.
    pub accepted_at: Timestamp,
    /// The rest of the envelope.
    pub head: Head,
    /// The payload's bytes.
    pub data: Bytes,
}

/// The part of an event's envelope that is sealed at rest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// CloudEvents `source`; `/` where none was given.
    pub source: String,
    /// CloudEvents `time` exactly as given; else the acceptance in RFC 3339.
    pub time: String,
    /// CloudEvents `subject`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// `application/json` unless the publisher said otherwise.
    pub content_type: String,
    /// CloudEvents extension attributes, without `tenant`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// W3C trace context of the publish, handed on to the destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}
