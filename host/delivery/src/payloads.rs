//! Opened events that are about to be handed over, in bounded memory.
//!
//! An accepted event enters only while there is room, and leaves when its deliveries were tried: under a backlog the
//! cache keeps the oldest events, which are next. What is missing is read from the store, in one query per hand-over.

use crate::keyring::Keyring;
use railhead_model::event::Head;
use railhead_model::{Event, EventUid};
use railhead_store::directory::Tenant;
use railhead_store::{Store, StoreError, StoredEvent};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Opened events by uid.
#[derive(Debug)]
pub(crate) struct Payloads {
    capacity: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    events: HashMap<EventUid, Entry>,
    /// In the order of entering; uids that left already are skipped.
    order: VecDeque<EventUid>,
    bytes: usize,
    /// Erased lately: what was read or accepted right before does not enter after it.
    erased: VecDeque<EventUid>,
}

#[derive(Debug)]
struct Entry {
    event: Arc<Event>,
    bytes: usize,
    /// Hand-overs that will still ask for it.
    wanted: usize,
}

/// What an entry costs beside its texts.
const ENTRY_BYTES: usize = 400;
/// Erased events that are remembered: far more than are erased while one read or one commit is under way.
const ERASED: usize = 256;

impl Payloads {
    pub fn new(capacity: usize) -> Self {
        Self { capacity, held: Mutex::default() }
    }

    /// Keeps a new event for `wanted` deliveries if there is room: a quarter is left to events that are read again.
    pub fn offer(&self, event: &Arc<Event>, wanted: usize) {
        let bytes = size(event);
        let mut held = self.lock();
        if wanted > 0 && held.bytes + bytes <= self.capacity / 4 * 3 {
            held.insert(Arc::clone(event), bytes, wanted);
        }
    }

    /// Says that a delivery of this event was tried (or will not be): it leaves after the last one.
    pub fn release(&self, uid: EventUid) {
        let mut held = self.lock();
        let Some(entry) = held.events.get_mut(&uid) else { return };
        entry.wanted = entry.wanted.saturating_sub(1);
        if entry.wanted == 0 {
            held.remove(uid);
        }
    }

    /// Lets go of an event whose payload was erased, and keeps it out.
    pub fn erase(&self, uid: EventUid) {
        let mut held = self.lock();
        held.remove(uid);
        held.erased.push_back(uid);
        if held.erased.len() > ERASED {
            held.erased.pop_front();
        }
    }

    /// Lets go of everything: any of it may have been erased.
    pub fn clear(&self) {
        let mut held = self.lock();
        held.events.clear();
        held.order.clear();
        held.bytes = 0;
    }

    /// The events of `uids`, in their order; `None` where the payload is gone, or cannot be opened any more.
    ///
    /// # Errors
    /// Of the store, if something had to be read.
    pub async fn fetch(
        &self,
        store: &dyn Store,
        keyring: &Keyring,
        tenant: &Tenant,
        uids: &[EventUid],
    ) -> Result<Vec<Option<Arc<Event>>>, StoreError> {
        let mut found = self.get(uids);
        let mut missing: Vec<_> =
            uids.iter().zip(&found).filter(|(_, event)| event.is_none()).map(|(uid, _)| *uid).collect();
        if missing.is_empty() {
            return Ok(found);
        }
        missing.sort_unstable();
        missing.dedup();
        let stored = store.payloads(&missing).await?;
        let mut opened: HashMap<_, _> =
            stored.into_iter().filter_map(|row| open(keyring, tenant, row)).map(|event| (event.uid, event)).collect();
        self.make_room(&opened);
        for (uid, event) in uids.iter().zip(&mut found) {
            if event.is_none() {
                *event = opened.get_mut(uid).map(|event| Arc::clone(event));
            }
        }
        Ok(found)
    }

    fn get(&self, uids: &[EventUid]) -> Vec<Option<Arc<Event>>> {
        let held = self.lock();
        uids.iter().map(|uid| held.events.get(uid).map(|entry| Arc::clone(&entry.event))).collect()
    }

    /// Keeps events that were read for this hand-over; the oldest make room.
    fn make_room(&self, opened: &HashMap<EventUid, Arc<Event>>) {
        let mut held = self.lock();
        for event in opened.values() {
            let bytes = size(event);
            while held.bytes + bytes > self.capacity && held.evict() {}
            if held.bytes + bytes <= self.capacity {
                held.insert(Arc::clone(event), bytes, 1);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn insert(&mut self, event: Arc<Event>, bytes: usize, wanted: usize) {
        let uid = event.uid;
        if self.erased.contains(&uid) {
            return;
        }
        if let Some(entry) = self.events.get_mut(&uid) {
            entry.wanted += wanted;
            return;
        }
        self.events.insert(uid, Entry { event, bytes, wanted });
        self.order.push_back(uid);
        self.bytes += bytes;
    }

    fn remove(&mut self, uid: EventUid) {
        if let Some(entry) = self.events.remove(&uid) {
            self.bytes -= entry.bytes;
        }
        // Uids that left stay in `order` until they are at its front, or outnumber those that are there.
        while self.order.front().is_some_and(|front| !self.events.contains_key(front)) {
            self.order.pop_front();
        }
        if self.order.len() > 64 + 2 * self.events.len() {
            let events = &self.events;
            self.order.retain(|uid| events.contains_key(uid));
        }
    }

    /// False: there was nothing left.
    fn evict(&mut self) -> bool {
        match self.order.front().copied() {
            Some(uid) => {
                self.remove(uid);
                true
            }
            None => false,
        }
    }
}

fn size(event: &Event) -> usize {
    ENTRY_BYTES + event.data.len() + event.id.len() + event.event_type.len() + event.head.source.len()
}

/// Opens a stored event. One that cannot be opened counts as gone: its tenant's key was destroyed, or it was changed.
fn open(keyring: &Keyring, tenant: &Tenant, row: StoredEvent) -> Option<Arc<Event>> {
    let payload = row.payload.as_ref()?;
    let opened = keyring.keys(tenant).and_then(|keys| {
        let head = keys.open_head(row.uid, &row.head)?;
        Ok((head, keys.open_payload(row.uid, payload)?))
    });
    let (head, data) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            tracing::error!(event = %row.uid, %error, "a stored event cannot be opened");
            return None;
        }
    };
    let head: Head = serde_json::from_slice(&head)
        .inspect_err(|error| tracing::error!(event = %row.uid, %error, "a stored head cannot be read"))
        .ok()?;
    Some(Arc::new(Event {
        uid: row.uid,
        id: row.id,
        event_type: row.event_type,
        accepted_at: row.at,
        head,
        data: data.into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use railhead_model::Timestamp;

    fn event(n: u8, bytes: usize) -> Arc<Event> {
        Arc::new(Event {
            uid: EventUid::new(Timestamp(1_700_000_000_000), [n; 10]),
            id: String::new(),
            event_type: String::new(),
            accepted_at: Timestamp(1_700_000_000_000),
            head: Head::default(),
            data: vec![0; bytes].into(),
        })
    }

    fn has(payloads: &Payloads, event: &Event) -> bool {
        payloads.get(&[event.uid])[0].is_some()
    }

    #[test]
    fn an_event_leaves_with_its_last_delivery() {
        let payloads = Payloads::new(1 << 20);
        let event = event(1, 10);
        payloads.offer(&event, 2);
        payloads.release(event.uid);
        assert!(has(&payloads, &event));
        payloads.release(event.uid);
        assert!(!has(&payloads, &event));
        assert_eq!(payloads.lock().bytes, 0);
        assert!(payloads.lock().order.is_empty());
    }

    #[test]
    fn an_erased_event_leaves_at_once_and_stays_out() {
        let payloads = Payloads::new(1 << 20);
        let event = event(1, 10);
        payloads.offer(&event, 3);
        payloads.erase(event.uid);
        assert!(!has(&payloads, &event));
        assert_eq!(payloads.lock().bytes, 0);
        // A read that began before.
        payloads.make_room(&[(event.uid, Arc::clone(&event))].into());
        payloads.offer(&event, 1);
        assert!(!has(&payloads, &event));
    }

    #[test]
    fn new_events_do_not_push_out_those_that_are_next() {
        let payloads = Payloads::new(10_000);
        let (first, second, third) = (event(1, 6_000), event(2, 6_000), event(3, 6_000));
        payloads.offer(&first, 1);
        payloads.offer(&second, 1);
        assert!(has(&payloads, &first) && !has(&payloads, &second));
        payloads.make_room(&[(third.uid, Arc::clone(&third))].into());
        assert!(has(&payloads, &third) && !has(&payloads, &first));
    }
}
