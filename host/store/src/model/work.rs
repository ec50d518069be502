//! Unfinished deliveries, on the model.

use super::ModelCore;
use super::tables::NewWork;
use crate::StoreError;
use crate::work::{Command, Commanded, Health, Position, RefillAnswer, RefillAsk, StableBatch, StoredEvent, WorkRow};
use railhead_model::{DeliveryKey, DestinationNo, End, EventUid, HostId, Ordering, Origin, Timestamp};
use std::ops::Bound::{Excluded, Unbounded};

impl ModelCore {
    /// See [`crate::WorkStore::refill`].
    ///
    /// # Errors
    /// None of its own, as of all reads here.
    pub fn refill(&self, asks: &[RefillAsk]) -> Result<Vec<RefillAnswer>, StoreError> {
        Ok(asks.iter().map(|ask| RefillAnswer { destination: ask.destination, rows: self.next_of(ask) }).collect())
    }

    fn next_of(&self, ask: &RefillAsk) -> Vec<WorkRow> {
        let limit = ask.limit as usize;
        if ask.ordered {
            let after = match ask.after {
                Some(Position::Seq(seq)) => seq,
                _ => i64::MIN,
            };
            let rows = self.order.range((Excluded((ask.destination, after)), Unbounded));
            let rows = rows.take_while(|((no, _), _)| *no == ask.destination);
            return rows.filter_map(|(_, key)| self.work_of(*key)).take(limit).copied().collect();
        }
        let after = match ask.after {
            Some(Position::Due(due, event, run)) => Some((due, event, run)),
            _ => None,
        };
        self.queue_of(ask.destination, after).take(limit).copied().collect()
    }

    /// See [`crate::WorkStore::survey`].
    ///
    /// # Errors
    /// None of its own.
    pub fn survey(&self, destinations: &[DestinationNo]) -> Result<Vec<(DestinationNo, Timestamp)>, StoreError> {
        let first = |no: &DestinationNo| Some((*no, self.queue_of(*no, None).next()?.due));
        Ok(destinations.iter().filter_map(first).collect())
    }

    /// See [`crate::WorkStore::payloads`].
    ///
    /// # Errors
    /// None of its own.
    pub fn payloads(&self, uids: &[EventUid]) -> Result<Vec<StoredEvent>, StoreError> {
        let stored = |uid: &EventUid| {
            let record = self.events.get(uid)?;
            let event = &record.event;
            Some(StoredEvent {
                uid: *uid,
                tenant: event.tenant,
                id: event.id.clone(),
                event_type: event.event_type.clone(),
                at: event.at,
                head: event.head.clone(),
                payload: (!record.erased).then(|| event.payload.clone()),
                payload_bytes: event.payload_bytes,
            })
        };
        Ok(uids.iter().filter_map(stored).collect())
    }

    /// See [`crate::WorkStore::command`].
    ///
    /// # Errors
    /// None of its own.
    pub fn command(&mut self, key: DeliveryKey, command: Command, now: Timestamp) -> Result<Commanded, StoreError> {
        let Some(mut waiting) = self.work.get(&key).cloned() else { return Ok(Commanded::NotWaiting) };
        match command {
            Command::RetryNow => {
                waiting.row.due = now;
                waiting.row.rev += 1;
                self.put_work(waiting);
            }
            Command::Cancel => {
                self.end_work(key, End::Cancelled, "cancelled", now);
            }
        }
        Ok(Commanded::Done)
    }

    /// See [`crate::WorkStore::redeliver`].
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub fn redeliver(&mut self, key: DeliveryKey, origin: Origin, now: Timestamp) -> Result<DeliveryKey, StoreError> {
        self.make_again(key, origin, None, now).ok_or(StoreError::NotFound("ended delivery"))
    }

    /// Makes the next run of an ended delivery; `None` if it, its destination or its event is gone.
    pub(super) fn make_again(
        &mut self,
        key: DeliveryKey,
        origin: Origin,
        job: Option<railhead_model::JobId>,
        now: Timestamp,
    ) -> Option<DeliveryKey> {
        let ended = self.ended.get(&key)?.row;
        let destination = self.destinations.get(&key.destination)?;
        let bytes = self.events.get(&key.event)?.event.payload_bytes;
        let lane = match destination.spec.ordering {
            Ordering::None => None,
            // Made before the destination kept an order: all such share one lane.
            _ => Some(ended.lane.unwrap_or_default()),
        };
        let next = DeliveryKey { run: self.last_run(key) + 1, ..key };
        let new = NewWork { key: next, lane, origin, previous: Some(key.run), job, due: now, bytes };
        self.insert_work(ended.tenant, new);
        Some(next)
    }

    /// See [`crate::WorkStore::save_health`].
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub fn save_health(&mut self, host: HostId, health: &[(DestinationNo, Health)]) -> Result<(), StoreError> {
        self.unfenced(host)?;
        for (no, health) in health {
            let owned = self.shards.get(&no.shard()).is_some_and(|shard| shard.owner == Some(host));
            if let Some(destination) = self.destinations.get_mut(no).filter(|_| owned) {
                destination.health = health.clone();
            }
        }
        Ok(())
    }

    /// See [`crate::WorkStore::open_batches`].
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub fn open_batches(&mut self, host: HostId, batches: &[StableBatch]) -> Result<(), StoreError> {
        self.unfenced(host)?;
        for batch in batches {
            let stored = self.batches.entry((batch.destination, batch.number)).or_insert_with(|| batch.clone());
            (stored.due, stored.attempts) = (batch.due, batch.attempts); // never its members
        }
        Ok(())
    }

    /// See [`crate::WorkStore::batches`].
    ///
    /// # Errors
    /// None of its own.
    pub fn batches(&self, destinations: &[DestinationNo]) -> Result<Vec<StableBatch>, StoreError> {
        let mut batches = self.stored_batches(destinations);
        for batch in &mut batches {
            batch.members.retain(|key| self.work_of(*key).is_some());
        }
        Ok(batches)
    }

    /// The same with all members, as they were stored.
    #[must_use]
    pub fn stored_batches(&self, destinations: &[DestinationNo]) -> Vec<StableBatch> {
        self.batches.values().filter(|batch| destinations.contains(&batch.destination)).cloned().collect()
    }

    /// See [`crate::WorkStore::close_batch`].
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub fn close_batch(&mut self, host: HostId, destination: DestinationNo, number: u64) -> Result<(), StoreError> {
        self.unfenced(host)?;
        self.batches.remove(&(destination, number));
        Ok(())
    }

    /// See [`crate::WorkStore::waiting`].
    ///
    /// # Errors
    /// None of its own.
    pub fn waiting(&self, destinations: &[DestinationNo], cap: u32) -> Result<Vec<(DestinationNo, u32)>, StoreError> {
        let count = |no: &DestinationNo| (0..cap).zip(self.queue_of(*no, None)).count() as u32;
        Ok(destinations.iter().map(|no| (*no, count(no))).collect())
    }
}
