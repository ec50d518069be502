//! Reads for people, on the model.

use super::ModelCore;
use super::tables::{EventRecord, Waiting};
use crate::StoreError;
use crate::history::{
    AttemptRow, DeliveryFilter, DeliveryRow, EventFilter, EventRow, MAX_EXAMINED, Page, waiting_state,
};
use bytes::Bytes;
use railhead_model::{DeliveryKey, DeliveryState, EventUid, TenantNo, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

impl ModelCore {
    /// See [`crate::History::event`].
    ///
    /// # Errors
    /// None of its own, as of all reads here.
    pub fn event(&self, tenant: TenantNo, uid: EventUid) -> Result<Option<EventRow>, StoreError> {
        Ok(self.events.get(&uid).filter(|record| record.event.tenant == tenant).map(event_row))
    }

    /// See [`crate::History::event_by_id`].
    ///
    /// # Errors
    /// None of its own.
    pub fn event_by_id(&self, tenant: TenantNo, id: &str) -> Result<Option<EventRow>, StoreError> {
        let mut newest = self.events.values().rev();
        Ok(newest.find(|record| record.event.tenant == tenant && record.event.id == id).map(event_row))
    }

    /// See [`crate::History::events`].
    ///
    /// # Errors
    /// None of its own.
    pub fn events(
        &self,
        tenant: TenantNo,
        filter: &EventFilter,
        before: Option<EventUid>,
        limit: u32,
    ) -> Result<Page<EventRow, EventUid>, StoreError> {
        let own = self
            .events
            .iter()
            .rev()
            .filter(|(uid, record)| record.event.tenant == tenant && before.is_none_or(|before| **uid < before));
        let mut page = Page { rows: Vec::new(), next: None };
        for (examined, (uid, record)) in own.enumerate() {
            if page.rows.len() == limit as usize || examined == MAX_EXAMINED {
                return Ok(page);
            }
            let row = event_row(record);
            if filter.matches(&row) {
                page.rows.push(row);
            }
            page.next = Some(*uid);
        }
        page.next = None;
        Ok(page)
    }

    /// See [`crate::History::deliveries_of`].
    ///
    /// # Errors
    /// None of its own.
    pub fn deliveries_of(&self, tenant: TenantNo, uid: EventUid) -> Result<Vec<DeliveryRow>, StoreError> {
        let keys = self.all_keys().into_iter().filter(|key| key.event == uid);
        Ok(keys.filter_map(|key| self.delivery_row(tenant, key)).collect())
    }

    /// See [`crate::History::delivery`].
    ///
    /// # Errors
    /// None of its own.
    pub fn delivery(&self, tenant: TenantNo, key: DeliveryKey) -> Result<Option<DeliveryRow>, StoreError> {
        Ok(self.delivery_row(tenant, key))
    }

    /// See [`crate::History::deliveries`].
    ///
    /// # Errors
    /// None of its own.
    pub fn deliveries(
        &self,
        tenant: TenantNo,
        filter: &DeliveryFilter,
        before: Option<DeliveryKey>,
        limit: u32,
    ) -> Result<Page<DeliveryRow, DeliveryKey>, StoreError> {
        let keys = self.all_keys().into_iter().rev().filter(|key| before.is_none_or(|before| *key < before));
        let own = keys.filter_map(|key| self.delivery_row(tenant, key));
        let mut page = Page { rows: Vec::new(), next: None };
        for (examined, row) in own.enumerate() {
            if page.rows.len() == limit as usize || examined == MAX_EXAMINED {
                return Ok(page);
            }
            page.next = Some(row.key);
            if filter.matches(&row) {
                page.rows.push(row);
            }
        }
        page.next = None;
        Ok(page)
    }

    /// See [`crate::History::attempts`].
    ///
    /// # Errors
    /// None of its own.
    pub fn attempts(&self, tenant: TenantNo, key: DeliveryKey) -> Result<Vec<AttemptRow>, StoreError> {
        if self.delivery_row(tenant, key).is_none() {
            return Ok(Vec::new());
        }
        let mut rows: Vec<_> = self.attempts_of(key).into_values().collect();
        for row in &mut rows {
            if let Some(owner) = row.owner {
                row.transcript = self.transcripts.get(&owner).cloned();
            }
        }
        Ok(rows)
    }

    /// See [`crate::History::payload`].
    ///
    /// # Errors
    /// None of its own.
    pub fn payload(&self, tenant: TenantNo, uid: EventUid) -> Result<Option<Bytes>, StoreError> {
        let own = self.events.get(&uid).filter(|record| record.event.tenant == tenant && !record.erased);
        Ok(own.map(|record| record.event.payload.clone()))
    }

    /// See [`crate::History::erase_payload`].
    ///
    /// # Errors
    /// None of its own.
    pub fn erase_payload(&mut self, tenant: TenantNo, uid: EventUid) -> Result<bool, StoreError> {
        let Some(record) = self.events.get_mut(&uid).filter(|record| record.event.tenant == tenant) else {
            return Ok(false);
        };
        record.erased = true;
        Ok(true)
    }

    /// See [`crate::History::counts`].
    ///
    /// # Errors
    /// None of its own.
    pub fn counts(&self, tenant: TenantNo, cap: u32) -> Result<Vec<(DeliveryState, u64)>, StoreError> {
        let mut counts: BTreeMap<DeliveryState, u64> = BTreeMap::new();
        let waiting = self.unfinished().filter(|row| row.tenant == tenant).map(|row| waiting_state(row.tries));
        let ended = self.ended.values().filter(|ended| ended.row.tenant == tenant).map(|ended| ended.end.into());
        for state in waiting.chain(ended) {
            let count = counts.entry(state).or_default();
            *count = (*count + 1).min(u64::from(cap));
        }
        Ok(counts.into_iter().collect())
    }

    fn all_keys(&self) -> BTreeSet<DeliveryKey> {
        self.work.keys().chain(self.ended.keys()).copied().collect()
    }

    /// A delivery of this tenant as it is shown.
    pub(super) fn delivery_row(&self, tenant: TenantNo, key: DeliveryKey) -> Option<DeliveryRow> {
        let ended = self.ended.get(&key);
        let waiting = self.work.get(&key);
        let (row, made_at) = match (ended, waiting) {
            (Some(ended), _) => (ended.row, ended.made_at),
            (None, Some(Waiting { row, made_at, .. })) => (*row, *made_at),
            (None, None) => return None,
        };
        if row.tenant != tenant {
            return None;
        }
        let event = &self.events.get(&key.event)?.event;
        let last_attempt = self.attempts_of(key).into_values().next_back().map(|last| last.attempt);
        let last_code = last_attempt.as_ref().map_or("", |last| last.reason.code.as_str());
        Some(DeliveryRow {
            key,
            event_type: event.event_type.clone(),
            event_id: event.id.clone(),
            state: ended.map_or(waiting_state(row.tries), |ended| ended.end.into()),
            code: ended.map_or(last_code, |ended| &ended.code).to_owned(),
            attempts: ended.map_or(row.attempts, |ended| ended.attempts),
            tries: row.tries,
            origin: row.origin,
            previous: row.previous,
            job: row.job,
            created_at: made_at,
            next_attempt_at: next_attempt_at(row.due, ended.is_none()),
            ended_at: ended.map(|ended| ended.at),
            last_attempt,
        })
    }
}

fn next_attempt_at(due: Timestamp, waits: bool) -> Option<Timestamp> {
    waits.then_some(due)
}

fn event_row(record: &EventRecord) -> EventRow {
    let event = &record.event;
    EventRow {
        uid: event.uid,
        id: event.id.clone(),
        event_type: event.event_type.clone(),
        at: event.at,
        route: event.route.clone(),
        payload_bytes: event.payload_bytes,
        head: event.head.clone(),
        origin: event.origin,
    }
}
