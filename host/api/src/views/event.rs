//! Events and deliveries from outside.

use super::{Names, attempt_summary};
use railhead_model::event::Head;
use railhead_model::{AttemptKey, DeliveryKey, DeliveryState, DestinationNo, Origin, Verdict};
use railhead_store::history::{DeliveryRow, EventRow};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// An event, without its payload.
#[must_use]
pub fn event(row: &EventRow, head: &Head) -> Value {
    json!({
        "uid": row.uid,
        "id": row.id,
        "type": row.event_type,
        "source": head.source,
        "time": head.time,
        "subject": head.subject,
        "datacontenttype": head.content_type,
        "attributes": head.attributes,
        "accepted_at": row.at,
        "payload_bytes": row.payload_bytes,
        "origin": row.origin,
    })
}

/// What became of an event at every destination that its tenant had, and at those it was delivered to since.
#[must_use]
pub fn outcomes(row: &EventRow, deliveries: &[DeliveryRow], names: &Names) -> Vec<Value> {
    let mut runs: BTreeMap<DestinationNo, Vec<&DeliveryRow>> = BTreeMap::new();
    for delivery in deliveries {
        runs.entry(delivery.key.destination).or_default().push(delivery);
    }
    let mut all = Vec::new();
    for (no, verdict) in &row.route.verdicts {
        all.push(match runs.remove(no) {
            Some(runs) => delivered(*no, &runs, names),
            None => routed(row, *no, *verdict, names),
        });
    }
    all.extend(runs.iter().map(|(no, runs)| delivered(*no, runs, names)));
    all
}

/// The newest run tells the state; older ones are listed.
fn delivered(no: DestinationNo, runs: &[&DeliveryRow], names: &Names) -> Value {
    let newest = runs.iter().max_by_key(|row| row.key.run);
    let state = newest.map_or(DeliveryState::Pending, |row| row.state);
    json!({
        "destination": names.get(&no),
        "state": state,
        "reason": newest.map(|row| row.code.as_str()).filter(|code| !code.is_empty()),
        "delivery": newest.map(|row| row.key),
        "attempts": newest.map(|row| row.tries),
        "next_attempt_at": newest.and_then(|row| row.next_attempt_at),
        "ended_at": newest.and_then(|row| row.ended_at),
        "deliveries": runs.iter().map(|row| brief(row)).collect::<Vec<_>>(),
    })
}

fn brief(row: &DeliveryRow) -> Value {
    json!({"id": row.key, "state": row.state, "origin": row.origin, "code": code(row), "ended_at": row.ended_at})
}

/// A destination without a delivery: filtered, skipped, or matched with its delivery about to be made.
fn routed(row: &EventRow, no: DestinationNo, verdict: Verdict, names: &Names) -> Value {
    let (state, reason) = verdict.words().map_or(("pending", None), |(state, reason)| (state, Some(reason)));
    let key = DeliveryKey { event: row.uid, destination: no, run: 0 };
    json!({
        "destination": names.get(&no),
        "state": state,
        "reason": reason,
        "delivery": (verdict == Verdict::Matched).then_some(key),
        "attempts": 0,
        "next_attempt_at": null,
        "ended_at": verdict.words().map(|_| row.at),
        "deliveries": [],
    })
}

/// A delivery.
#[must_use]
pub fn delivery(row: &DeliveryRow, names: &Names) -> Value {
    let previous = row.previous.map(|run| DeliveryKey { run, ..row.key });
    let last = row
        .last_attempt
        .as_ref()
        .map(|attempt| attempt_summary(AttemptKey { delivery: row.key, n: attempt.n }, attempt));
    json!({
        "id": row.key,
        "event": row.key.event,
        "event_id": row.event_id,
        "event_type": row.event_type,
        "destination": names.get(&row.key.destination),
        "state": row.state,
        "code": code(row),
        "attempts": row.tries,
        "attempts_counted": row.attempts,
        "origin": row.origin,
        "previous": previous,
        "replay": row.job.filter(|_| row.origin == Origin::Replay),
        "created_at": row.created_at,
        "next_attempt_at": row.next_attempt_at,
        "ended_at": row.ended_at,
        "last_attempt": last,
    })
}

fn code(row: &DeliveryRow) -> Option<&str> {
    Some(row.code.as_str()).filter(|code| !code.is_empty())
}
