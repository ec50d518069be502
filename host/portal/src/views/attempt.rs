//! Attempts and what went over the wire.

use crate::foreign::Foreign;
use crate::when::{Bytes, Micros, Span, When};
use crate::{help, json};
use serde::Deserialize;

/// An attempt.
#[derive(Clone, Debug, Deserialize)]
pub struct Attempt {
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
    /// The connector's version.
    pub connector_version: Foreign,
    /// Revision of the configuration.
    pub config_revision: i64,
    /// The exchange that carried the event.
    #[serde(flatten)]
    pub last: Exchange,
    /// Those before it.
    pub earlier_exchanges: Vec<Exchange>,
}

impl Attempt {
    /// What its code means.
    #[must_use]
    pub fn help(&self) -> &'static str {
        help::of(self.code.as_str())
    }

    /// What went over the wire, in order; with a name where there is more than one.
    #[must_use]
    pub fn exchanges(&self) -> Vec<&Exchange> {
        let last = (self.last.request.is_some() || self.last.failure.is_some()).then_some(&self.last);
        self.earlier_exchanges.iter().chain(last).collect()
    }
}

/// One request and what came back.
#[derive(Clone, Debug, Deserialize)]
pub struct Exchange {
    /// As sent, masked.
    pub request: Option<Request>,
    /// As received, masked.
    pub response: Option<Response>,
    /// Why there is no whole answer.
    pub failure: Option<Reason>,
    /// How long each phase took.
    pub timings: Option<Timings>,
}

/// Why.
#[derive(Clone, Debug, Deserialize)]
pub struct Reason {
    /// Stable.
    pub code: Foreign,
    /// For the customer.
    pub message: Foreign,
}

/// A request as sent.
#[derive(Clone, Debug, Deserialize)]
pub struct Request {
    /// `POST`.
    pub method: Foreign,
    /// With secret parts masked.
    pub url: Foreign,
    /// In the order sent.
    pub headers: Vec<Header>,
    /// The body.
    #[serde(flatten)]
    pub body: Body,
}

/// An answer as received.
#[derive(Clone, Debug, Deserialize)]
pub struct Response {
    /// 0 for other protocols.
    pub status: u16,
    /// In the order received.
    pub headers: Vec<Header>,
    /// The body.
    #[serde(flatten)]
    pub body: Body,
}

impl Response {
    /// The status's colour.
    #[must_use]
    pub const fn tone(&self) -> &'static str {
        match self.status {
            200..=299 => "good",
            300..=499 => "bad",
            500..=599 => "warn",
            _ => "quiet",
        }
    }
}

/// A header.
#[derive(Clone, Debug, Deserialize)]
pub struct Header {
    /// Its name.
    pub name: Foreign,
    /// Its value, masked.
    pub value: Foreign,
}

/// A captured body.
#[derive(Clone, Debug, Deserialize)]
pub struct Body {
    /// Text, or base64.
    #[serde(rename = "body")]
    content: Foreign,
    /// `text`, `base64`.
    #[serde(rename = "body_encoding")]
    encoding: Foreign,
    /// Whether all of it is here.
    #[serde(rename = "body_complete")]
    pub complete: bool,
    /// Bytes as sent or received.
    #[serde(rename = "body_bytes")]
    pub bytes: Bytes,
}

/// Characters of JSON that are laid out for reading; longer ones show as they came.
const MAX_LAID_OUT: usize = 64 * 1024;

impl Body {
    /// A body of text.
    #[must_use]
    pub fn of_text(text: String, bytes: u64) -> Self {
        Self { content: Foreign(text), encoding: "text".into(), complete: true, bytes: Bytes(bytes) }
    }

    /// True if there is nothing to show.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.content.as_str().is_empty()
    }

    /// True if the bytes are no text.
    #[must_use]
    pub fn is_base64(&self) -> bool {
        self.encoding.as_str() == "base64"
    }

    /// Laid out for reading, where it is JSON.
    #[must_use]
    pub fn laid_out(&self) -> Option<Foreign> {
        let text = self.content.as_str();
        if self.is_base64() || text.len() > MAX_LAID_OUT {
            return None;
        }
        json::lay_out(text).filter(|laid| laid != text).map(Foreign)
    }

    /// Exactly as it went.
    #[must_use]
    pub const fn exact(&self) -> &Foreign {
        &self.content
    }
}

/// Phases in microseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Timings {
    #[serde(default)]
    dns_us: Option<u64>,
    #[serde(default)]
    connect_us: Option<u64>,
    #[serde(default)]
    head_us: Option<u64>,
    #[serde(default)]
    body_us: Option<u64>,
    /// All of it.
    #[serde(default)]
    total_us: u64,
}

/// One phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// What it is called.
    pub name: &'static str,
    /// Its class.
    pub class: &'static str,
    /// How long it took.
    pub took: Micros,
    /// Where it begins in a bar of a thousand.
    pub from: u64,
    /// How wide it is there.
    pub width: u64,
}

impl Timings {
    /// All of it.
    #[must_use]
    pub const fn total(&self) -> Micros {
        Micros(self.total_us)
    }

    /// The phases that were reached. A reused connection has no name resolution and no connect.
    #[must_use]
    pub fn phases(&self) -> Vec<Phase> {
        let before = self.dns_us.unwrap_or(0).saturating_add(self.connect_us.unwrap_or(0));
        let wait = self.head_us.map(|head| head.saturating_sub(before));
        let named = [
            ("Name resolution", "dns", self.dns_us),
            ("Connect and TLS", "connect", self.connect_us),
            ("Waiting for the answer", "wait", wait),
            ("Reading the answer", "read", self.body_us),
        ];
        let all = named.iter().filter_map(|(_, _, us)| *us).sum::<u64>().max(self.total_us).max(1);
        let (mut phases, mut from) = (Vec::new(), 0);
        for (name, class, us) in named {
            let Some(us) = us else { continue };
            let width = (us.saturating_mul(1_000) / all).max(4).min(1_000_u64.saturating_sub(from));
            phases.push(Phase { name, class, took: Micros(us), from, width });
            from += width;
        }
        phases
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn phases_follow_one_another_within_the_bar() {
        let timings: Timings = serde_json::from_value(
            json!({"dns_us": 1_000, "connect_us": 3_000, "head_us": 9_000, "body_us": 1, "total_us": 10_000}),
        )
        .expect("timings");
        let phases = timings.phases();
        let widths: Vec<_> = phases.iter().map(|phase| (phase.from, phase.width)).collect();
        assert_eq!(widths, [(0, 100), (100, 300), (400, 500), (900, 4)]);
        assert_eq!(phases[2].took, Micros(5_000));
        let reused: Timings = serde_json::from_value(json!({"head_us": 500, "total_us": 500})).expect("timings");
        assert_eq!(reused.phases().len(), 1);
        assert!(Timings::default().phases().is_empty());
    }

    #[test]
    fn bodies_of_json_are_laid_out_and_others_left_alone() {
        let body = |content: &str, encoding: &str| -> Body {
            serde_json::from_value(
                json!({"body": content, "body_encoding": encoding, "body_complete": true, "body_bytes": 7}),
            )
            .expect("a body")
        };
        assert_eq!(body("{\"a\":1}", "text").laid_out().map(|laid| laid.0).as_deref(), Some("{\n  \"a\": 1\n}"));
        assert_eq!(body("hello", "text").laid_out(), None);
        assert_eq!(body("1234", "base64").laid_out(), None);
    }
}
