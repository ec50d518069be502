//! The record of one attempt, and of what went over the wire.

use crate::destination::Fields;
use crate::outcome::{OutcomeClass, Reason};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One try of one delivery, as it is kept. The transcript is sealed apart ([`Transcript`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Counts from 1; tries that cost no attempt of the schedule count here too.
    pub n: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// From start to outcome.
    pub duration_ms: u32,
    /// The class of its outcome.
    pub outcome: OutcomeClass,
    /// Why.
    pub reason: Reason,
    /// Version of the connector that made it.
    pub connector_version: String,
    /// Revision of the destination's configuration that it used.
    pub config_revision: i64,
}

/// What went over the wire for one attempt: masked, bounded, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// The exchanges that carried the event, or showed it. The events of one request share its exchange.
    pub exchanges: Vec<Arc<Exchange>>,
    /// What of each referred payload was sent; all of it where this is `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Fields>,
}

impl Transcript {
    /// As every event of its requests could see it: no event's data stands out as the reader's own.
    #[must_use]
    pub fn shared(self, own: crate::ids::EventUid) -> Self {
        self.renamed(&BodyPart::EventData, &BodyPart::OtherEvent(own))
    }

    /// As one event's attempt shows it: its own data is [`BodyPart::EventData`].
    #[must_use]
    pub fn seen_by(self, own: crate::ids::EventUid) -> Self {
        self.renamed(&BodyPart::OtherEvent(own), &BodyPart::EventData)
    }

    /// What has nothing to be renamed stays shared: a batch of a thousand events has one exchange.
    fn renamed(mut self, from: &BodyPart, to: &BodyPart) -> Self {
        for exchange in self.exchanges.iter_mut().filter(|exchange| exchange.request.body.contains(from)) {
            let parts = &mut Arc::make_mut(exchange).request.body;
            parts.iter_mut().filter(|part| *part == from).for_each(|part| *part = to.clone());
        }
        self
    }
}

/// One request and what came back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// As sent, with secrets masked.
    pub request: ExchangeRequest,
    /// As received, with secrets masked; `None` if nothing came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<ExchangeResponse>,
    /// Why there is no (whole) answer: code and message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Reason>,
    /// How long each phase took.
    pub timings: Timings,
}

/// A request as sent. For protocols that are not HTTP `method` is empty. The body is what the connector showed, and
/// `content-type` its media type; where it showed nothing, `url` is `tcp://host:port` and the body says how much was sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExchangeRequest {
    /// `POST`.
    pub method: String,
    /// With secret parts masked.
    pub url: String,
    /// In the order sent.
    pub headers: Vec<Header>,
    /// In order; at most [`MAX_CAPTURE`] bytes beside event data.
    pub body: Vec<BodyPart>,
    /// Bytes of the body as sent.
    pub body_bytes: u64,
}

/// Bytes of a body, request or response, that a capture keeps.
pub const MAX_CAPTURE: usize = 64 * 1024;

/// A header's name and masked value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header(pub String, pub String);

/// A piece of a captured body.
///
/// Event data is referred to, not copied: the event's payload is kept once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyPart {
    /// UTF-8 text, masked.
    Text(String),
    /// Other bytes, in base64.
    Base64(String),
    /// The bytes of this delivery's own event, as published, or what [`Transcript::fields`] selects of them.
    EventData,
    /// The same of another event of the same request: its uid.
    OtherEvent(crate::ids::EventUid),
    /// So many bytes that were not kept.
    Omitted(u64),
    /// No bytes of its own: the part after this one stood there in base64 (RFC 4648, padded).
    InBase64,
}

/// An answer as received.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExchangeResponse {
    /// HTTP status; 0 for other protocols.
    pub status: u16,
    /// In the order received; `set-cookie` and `authorization` masked.
    pub headers: Vec<Header>,
    /// Masked, at most [`MAX_CAPTURE`] bytes.
    pub body: Vec<BodyPart>,
    /// Bytes received.
    pub body_bytes: u64,
    /// True if the body went on after the limit and was cut.
    pub cut: bool,
}

/// How long each phase took, in microseconds; `None` if it was not reached, or a connection was reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// Name resolution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_us: Option<u64>,
    /// Connection, with TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_us: Option<u64>,
    /// From the start to the answer's head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_us: Option<u64>,
    /// From the answer's head to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_us: Option<u64>,
    /// All of it.
    pub total_us: u64,
}
