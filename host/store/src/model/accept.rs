//! Accept, on the model.

use super::ModelCore;
use super::tables::{EventRecord, NewWork};
use crate::StoreError;
use crate::accept::{Accepted, FirstEvent, MAX_DIRECT, NewEvent};
use railhead_model::{DeliveryKey, DestinationNo};

impl ModelCore {
    /// See [`crate::Accept::accept`].
    ///
    /// # Errors
    /// None of its own.
    pub fn accept(&mut self, batch: &[NewEvent]) -> Result<Vec<Accepted>, StoreError> {
        Ok(batch.iter().map(|event| self.accept_one(event)).collect())
    }

    fn accept_one(&mut self, event: &NewEvent) -> Accepted {
        if self.events.contains_key(&event.uid) {
            return Accepted::Stored; // the first sending stored it
        }
        match self.tenants.get(&event.tenant) {
            None => return Accepted::NoTenant,
            Some(tenant) if tenant.generation != event.generation => return Accepted::Stale,
            Some(_) => {}
        }
        if let Some(first) = self.first_of(event) {
            return Accepted::Duplicate(first);
        }
        if let Some(idh) = event.idh {
            self.idhs.insert((event.uid.at().day(), idh), event.uid);
        }
        self.events.insert(event.uid, EventRecord { event: event.clone(), erased: false });
        if event.route.matched().count() > MAX_DIRECT {
            self.fanouts.insert(event.uid, None);
        } else {
            for destination in event.route.matched() {
                self.make_first(event, destination);
            }
        }
        Accepted::Stored
    }

    /// Makes the delivery of run 0.
    pub(super) fn make_first(&mut self, event: &NewEvent, destination: DestinationNo) {
        let lane = event.lanes.iter().find(|(no, _)| *no == destination).map(|(_, lane)| *lane);
        let key = DeliveryKey { event: event.uid, destination, run: 0 };
        let new = NewWork {
            key,
            lane,
            origin: event.origin,
            previous: None,
            job: None,
            due: event.at,
            bytes: event.payload_bytes,
        };
        self.insert_work(event.tenant, new);
    }

    fn first_of(&self, event: &NewEvent) -> Option<FirstEvent> {
        let idh = event.idh?;
        let day = event.uid.at().day();
        let uid = self.idhs.get(&(day, idh)).or_else(|| self.idhs.get(&(day - 1, idh)))?;
        let first = &self.events.get(uid)?.event;
        Some(FirstEvent {
            uid: first.uid,
            id: first.id.clone(),
            digest: first.digest,
            deliveries: u32::try_from(first.route.matched().count()).unwrap_or(u32::MAX),
        })
    }
}
