//! `/ui/tenants/{tenant}/events/{event}`: an event's way, step by step, to every destination.

use super::Answer;
use crate::api::tenant_path;
use crate::failure::Failure;
use crate::foreign::Foreign;
use crate::frame::{Layout, Visitor, page};
use crate::help;
use crate::views::{Body, Delivery, Destination, Event, LastAttempt, Place};
use askama::Template;
use axum::Extension;
use axum::extract::Path;

#[derive(Template)]
#[template(path = "event.html")]
struct Page {
    layout: Layout,
    tenant: Foreign,
    event: Event,
    lines: Vec<Line>,
    /// Destinations beyond [`MAX_LINES`].
    more: usize,
    payload: Payload,
}

/// What may be shown of the payload.
enum Payload {
    Shown(Body),
    Erased,
    /// The key does not reach it.
    Hidden,
}

/// The way of the event to one destination.
struct Line {
    place: Place,
    /// As it is configured now; `None` if it is gone, or the key does not reach it.
    destination: Option<Destination>,
    /// With its last attempt; `None`: it was not made yet, or the key does not reach it.
    delivery: Option<Delivery>,
}

/// Lines that are drawn: each costs two reads. What went over the wire is on the deliveries' own pages.
const MAX_LINES: usize = 50;
/// Bytes of a payload that are shown.
const MAX_PAYLOAD: usize = 64 * 1024;

pub async fn show(Extension(visitor): Extension<Visitor>, Path((tenant, event)): Path<(String, String)>) -> Answer {
    let mut event: Event = visitor.api.get(&tenant_path(&tenant, &["events", &event]), &[]).await?;
    let mut places = std::mem::take(&mut event.destinations);
    // Those that it went to come first.
    places.sort_by_key(|place| place.delivery.is_none());
    let more = places.len().saturating_sub(MAX_LINES);
    let mut lines = Vec::new();
    for place in places.into_iter().take(MAX_LINES) {
        lines.push(line(&visitor, &tenant, place).await?);
    }
    let payload = payload(&visitor, &tenant, &event).await?;
    page(&Page { layout: visitor.layout(), tenant: Foreign(tenant), event, lines, more, payload })
}

async fn line(visitor: &Visitor, tenant: &str, place: Place) -> Result<Line, Failure> {
    let api = &visitor.api;
    let mut line = Line { place, destination: None, delivery: None };
    if let Some(id) = &line.place.destination {
        line.destination = api.get_if_allowed(&tenant_path(tenant, &["destinations", id.as_str()]), &[]).await?;
    }
    if let Some(id) = &line.place.delivery {
        line.delivery = api.get_if_allowed(&tenant_path(tenant, &["deliveries", id.as_str()]), &[]).await?;
    }
    Ok(line)
}

async fn payload(visitor: &Visitor, tenant: &str, event: &Event) -> Result<Payload, Failure> {
    let path = tenant_path(tenant, &["events", event.summary.uid.as_str(), "payload"]);
    let bytes = match visitor.api.bytes(&path, &[]).await {
        Ok(bytes) => bytes,
        Err(failure) if failure.code == "missing-scope" => return Ok(Payload::Hidden),
        Err(failure) if matches!(failure.status, 404 | 410) => return Ok(Payload::Erased),
        Err(failure) => return Err(failure),
    };
    let shown = String::from_utf8_lossy(bytes.get(..MAX_PAYLOAD).unwrap_or(&bytes)).into_owned();
    let mut body = Body::of_text(shown, bytes.len() as u64);
    body.complete = bytes.len() <= MAX_PAYLOAD;
    Ok(Payload::Shown(body))
}

impl Page {
    /// How many destinations it was delivered to, or will be.
    fn matched(&self) -> usize {
        self.lines.iter().filter(|line| line.place.delivery.is_some()).count()
    }

    fn all(&self) -> usize {
        self.lines.len() + self.more
    }

    fn attributes(&self) -> Vec<(Foreign, Foreign)> {
        let shown =
            |value: &serde_json::Value| value.as_str().map_or_else(|| Foreign(value.to_string()), Foreign::from);
        self.event.attributes.iter().map(|(name, value)| (name.clone(), shown(value))).collect()
    }

    fn waits(&self) -> bool {
        self.lines.iter().any(|line| matches!(line.place.state.as_str(), "pending" | "retrying"))
    }
}

impl Line {
    fn title(&self) -> Foreign {
        let deleted = || Foreign::from("(deleted destination)");
        self.place.destination.clone().unwrap_or_else(deleted)
    }

    /// Why routing made no delivery.
    fn why_not(&self) -> &'static str {
        help::of_route(self.place.reason.as_ref().map_or("", Foreign::as_str))
    }

    fn unsubscribed(&self) -> bool {
        self.place.reason.as_ref().is_some_and(|reason| reason.as_str() == "event-type")
    }

    /// Why it matched, as the destination is configured now.
    fn why(&self) -> String {
        match &self.destination {
            Some(destination) if destination.filter.is_some() => {
                format!("subscribed to {}, and the filter matched", destination.subscribes())
            }
            Some(destination) => format!("subscribed to {}", destination.subscribes()),
            None => "matched".to_owned(),
        }
    }

    fn last(&self) -> Option<&LastAttempt> {
        self.delivery.as_ref().and_then(|delivery| delivery.last_attempt.as_ref())
    }

    fn shape(&self) -> String {
        self.destination.as_ref().map_or_else(|| "–".to_owned(), Destination::shape)
    }

    /// Where the track ends: `done`, `failed`, `waits`.
    fn state_class(&self) -> &'static str {
        match self.place.state.as_str() {
            "delivered" => "done",
            "pending" | "retrying" => "waits",
            _ => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::tests::layout;
    use crate::tests::samples;

    fn sample(payload: Payload) -> Page {
        let mut event: Event = samples::read(samples::event());
        let places = std::mem::take(&mut event.destinations);
        let line = |place: Place| {
            let went = place.delivery.is_some();
            Line {
                place,
                destination: went.then(|| samples::read(samples::destination())),
                delivery: went.then(|| samples::read(samples::delivery())),
            }
        };
        let lines = places.into_iter().map(line).collect();
        Page { layout: layout(), tenant: "acme".into(), event, lines, more: 3, payload }
    }

    #[test]
    fn it_shows_where_the_event_went_and_why_not() {
        let html = sample(Payload::Shown(Body::of_text("{\"a\":1}".into(), 7))).render().expect("renders");
        for expected in
            ["ord-1", "Its filter did not match.", "The destination was disabled.", "subscribed to order.*", "http-422"]
        {
            assert!(html.contains(expected), "{expected}");
        }
    }

    #[test]
    fn a_payload_that_is_not_there_is_said_so() {
        assert!(sample(Payload::Erased).render().expect("renders").contains("was erased"));
        assert!(sample(Payload::Hidden).render().expect("renders").contains("payloads:read"));
    }
}
