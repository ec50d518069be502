//! A draft becomes an event: routed, hashed, sealed.

use super::tables::Table;
use crate::draft::Draft;
use bytes::Bytes;
use railhead_model::event::Head;
use railhead_model::{DestinationNo, Event, EventUid, Origin, Route, Verdict};
use railhead_routing::{Facts, lane_value};
use railhead_store::NewEvent;
use railhead_store::directory::Destination;
use railhead_vault::TenantKeys;
use std::sync::Arc;

/// CloudEvents `source` where none was given.
const DEFAULT_SOURCE: &str = "/";

/// An event ready for its commit, and the same one opened, for the deliveries that follow at once.
pub(crate) struct Prepared {
    pub new: NewEvent,
    pub event: Arc<Event>,
}

impl Prepared {
    /// Destinations that matched.
    pub fn deliveries(&self) -> u32 {
        u32::try_from(self.new.route.matched().count()).unwrap_or(u32::MAX)
    }

    /// Goes to this destination alone, whatever routing said.
    pub fn only(&mut self, table: &Table, destination: &Destination) {
        self.new.route.verdicts = vec![(destination.no, Verdict::Matched)];
        let value = lane_value(&destination.spec.ordering, &Facts::new(&self.event));
        self.new.lanes =
            value.map(|value| (destination.no, table.keys.lane(destination.no, &value))).into_iter().collect();
    }
}

/// What a draft occupies while it waits for its commit: opened and sealed, with a verdict for each destination.
pub(crate) fn room(draft: &Draft, table: &Table) -> usize {
    let attributes: usize = draft.attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
    let verdicts = table.destinations() * size_of::<(DestinationNo, Verdict)>();
    2 * (draft.data.len() + attributes) + verdicts + 2_048
}

/// Routes and seals a draft under `uid`. Repeatable: only the sealing nonces differ.
pub(crate) fn prepare(draft: &Draft, uid: EventUid, table: &Table) -> Prepared {
    let at = uid.at();
    let source = draft.source.as_deref().unwrap_or(DEFAULT_SOURCE);
    let head = Head {
        source: source.to_owned(),
        time: draft.time.clone().unwrap_or_else(|| at.to_string()),
        subject: draft.subject.clone(),
        content_type: draft.content_type.clone(),
        attributes: draft.attributes.clone(),
        traceparent: draft.traceparent.clone(),
    };
    let event = Event {
        uid,
        id: draft.id.clone().unwrap_or_else(|| uid.to_string()),
        event_type: draft.event_type.clone(),
        accepted_at: at,
        head,
        // A copy: the draft's is a slice of its whole request, which one small event would keep in memory.
        data: Bytes::copy_from_slice(&draft.data),
    };
    let (verdicts, lanes) = table.route(&event);
    let keys = &table.keys;
    // A head is texts and a map of texts: it always serializes.
    let head = serde_json::to_vec(&event.head).unwrap_or_default();
    let new = NewEvent {
        uid,
        tenant: table.tenant.no,
        generation: table.tenant.generation,
        idh: draft.id.as_deref().map(|id| keys.idh(source, id)),
        digest: digest(keys, draft, source),
        id: event.id.clone(),
        event_type: event.event_type.clone(),
        at,
        route: Route { generation: table.tenant.generation, verdicts },
        origin: Origin::Publish,
        lanes,
        head: keys.seal_head(uid, &head).into(),
        payload: keys.seal_payload(uid, &event.data).into(),
        payload_bytes: u32::try_from(event.data.len()).unwrap_or(u32::MAX),
    };
    Prepared { new, event: Arc::new(event) }
}

/// What makes two events with one id the same event. The trace context does not: a repeated publish has another one.
fn digest(keys: &TenantKeys, draft: &Draft, source: &str) -> [u8; 16] {
    let mut pieces: Vec<&[u8]> = vec![draft.event_type.as_bytes(), source.as_bytes()];
    for text in [&draft.subject, &draft.time] {
        pieces.push(if text.is_some() { b"1" } else { b"0" });
        pieces.push(text.as_deref().unwrap_or_default().as_bytes());
    }
    pieces.push(draft.content_type.as_bytes());
    pieces.push(&draft.data);
    for (name, value) in &draft.attributes {
        pieces.extend([name.as_bytes(), value.as_bytes()]);
    }
    keys.digest(&pieces)
}
