//! Jobs, on the model.

use super::ModelCore;
use super::tables::{ReplayRecord, first_uid};
use crate::StoreError;
use crate::history::MAX_EXAMINED;
use crate::jobs::{JobState, MAX_OPEN, MAX_RUNNING, NewReplay, Replay, STEP, Stepped};
use railhead_model::{DeliveryKey, DestinationNo, End, EventUid, JobId, Origin, TenantNo, Timestamp};
use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Unbounded};

/// Rows that one step of the retention deletes at most.
const RETENTION_STEP: usize = 1_000;

impl ModelCore {
    /// See [`crate::Jobs::start_replay`].
    ///
    /// # Errors
    /// [`StoreError::TooManyReplays`].
    pub fn start_replay(&mut self, new: &NewReplay) -> Result<(), StoreError> {
        let runs =
            |record: &&ReplayRecord| record.replay.tenant == new.tenant && record.replay.state == JobState::Running;
        if !self.replays.contains_key(&new.id) && self.replays.values().filter(runs).count() >= MAX_RUNNING {
            return Err(StoreError::TooManyReplays);
        }
        let replay = Replay {
            id: new.id,
            tenant: new.tenant,
            filter: new.filter.clone(),
            state: JobState::Running,
            examined: 0,
            created: 0,
            created_at: new.at,
            ended_at: None,
        };
        self.replays.entry(new.id).or_insert(ReplayRecord { replay, cursor: None });
        Ok(())
    }

    /// See [`crate::Jobs::replay`].
    ///
    /// # Errors
    /// None of its own.
    pub fn replay(&self, tenant: TenantNo, id: JobId) -> Result<Option<Replay>, StoreError> {
        let record = self.replays.get(&id).filter(|record| record.replay.tenant == tenant);
        Ok(record.map(|record| record.replay.clone()))
    }

    /// See [`crate::Jobs::replays`].
    ///
    /// # Errors
    /// None of its own.
    pub fn replays(&self, tenant: TenantNo, before: Option<JobId>, limit: u32) -> Result<Vec<Replay>, StoreError> {
        let upper = before.map_or(Unbounded, Excluded);
        let own = self.replays.range((Unbounded, upper)).rev().map(|(_, record)| &record.replay);
        Ok(own.filter(|replay| replay.tenant == tenant).take(limit as usize).cloned().collect())
    }

    /// See [`crate::Jobs::cancel_replay`].
    ///
    /// # Errors
    /// None of its own.
    pub fn cancel_replay(&mut self, tenant: TenantNo, id: JobId, now: Timestamp) -> Result<bool, StoreError> {
        let running =
            |record: &&mut ReplayRecord| record.replay.tenant == tenant && record.replay.state == JobState::Running;
        let Some(record) = self.replays.get_mut(&id).filter(running) else { return Ok(false) };
        record.replay.state = JobState::Cancelled;
        record.replay.ended_at = Some(now);
        Ok(true)
    }

    /// See [`crate::Jobs::step_replay`].
    ///
    /// # Errors
    /// None of its own.
    pub fn step_replay(&mut self, now: Timestamp) -> Result<Stepped, StoreError> {
        let running: Vec<_> = self
            .replays
            .iter()
            .filter(|(_, record)| record.replay.state == JobState::Running)
            .map(|(id, _)| *id)
            .collect();
        for id in running {
            let open = self.unfinished().filter(|row| row.job == Some(id)).take(MAX_OPEN).count();
            if open < MAX_OPEN {
                return Ok(self.step_one_replay(id, STEP.min(MAX_OPEN - open), now));
            }
        }
        Ok(Stepped::default())
    }

    fn step_one_replay(&mut self, id: JobId, room: usize, now: Timestamp) -> Stepped {
        let Some(mut record) = self.replays.get(&id).cloned() else { return Stepped::default() };
        let mut stepped = Stepped { more: true, ..Stepped::default() };
        let mut hints = BTreeSet::new();
        for _ in 0..MAX_EXAMINED {
            if stepped.rows == room {
                break;
            }
            let lower = record.cursor.map_or(Unbounded, Excluded);
            let Some(key) = self.ended.range((lower, Unbounded)).map(|(key, _)| *key).next() else {
                record.replay.state = JobState::Completed;
                record.replay.ended_at = Some(now);
                break;
            };
            record.cursor = Some(key);
            if self.ended.get(&key).is_none_or(|ended| ended.row.tenant != record.replay.tenant) {
                continue;
            }
            record.replay.examined += 1;
            if self.is_taken(&record.replay, key) && self.make_again(key, Origin::Replay, Some(id), now).is_some() {
                stepped.rows += 1;
                record.replay.created += 1;
                hints.insert(key.destination);
            }
        }
        self.replays.insert(id, record);
        stepped.more = self.replays.values().any(|record| record.replay.state == JobState::Running);
        stepped.destinations = hints.into_iter().collect();
        stepped
    }

    /// True if the replay delivers this one again: the newest run of its pair, ended by then, and it fits the filter.
    fn is_taken(&self, replay: &Replay, key: DeliveryKey) -> bool {
        let in_time = self.ended.get(&key).is_some_and(|ended| ended.at <= replay.created_at);
        in_time
            && self.last_run(key) == key.run
            && self.delivery_row(replay.tenant, key).is_some_and(|row| replay.filter.matches(&row))
    }

    /// See [`crate::Jobs::step_fanout`].
    ///
    /// # Errors
    /// None of its own.
    pub fn step_fanout(&mut self, now: Timestamp) -> Result<Stepped, StoreError> {
        let Some((uid, cursor)) = self.fanouts.pop_first() else { return Ok(Stepped::default()) };
        let Some(event) = self.events.get(&uid).map(|record| record.event.clone()) else {
            return Ok(Stepped { more: !self.fanouts.is_empty(), ..Stepped::default() });
        };
        let rest = event.route.matched().filter(|no| Some(*no) > cursor);
        let step: Vec<DestinationNo> = rest.take(STEP).collect();
        for destination in &step {
            self.make_first(&event, *destination);
            if !self.destinations.contains_key(destination) {
                let key = DeliveryKey { event: uid, destination: *destination, run: 0 };
                self.end_work(key, End::Cancelled, "destination-deleted", now);
            }
        }
        let last = step.last().copied().or(cursor);
        if event.route.matched().any(|no| Some(no) > last) {
            self.fanouts.insert(uid, last);
        }
        let rows = step.len();
        let destinations = step.into_iter().filter(|no| self.destinations.contains_key(no)).collect();
        Ok(Stepped { destinations, rows, more: !self.fanouts.is_empty() })
    }

    /// See [`crate::Jobs::step_expiry`].
    ///
    /// # Errors
    /// None of its own.
    pub fn step_expiry(&mut self, before: Timestamp, now: Timestamp) -> Result<Stepped, StoreError> {
        let bound = first_key(before);
        let keys: Vec<_> = self.work.range(..bound).map(|(key, _)| *key).take(STEP).collect();
        for key in &keys {
            self.end_work(*key, End::Expired, "expired", now);
        }
        let hints: BTreeSet<_> = keys.iter().map(|key| key.destination).collect();
        let more = self.work.range(..bound).next().is_some();
        Ok(Stepped { destinations: hints.into_iter().collect(), rows: keys.len(), more })
    }

    /// See [`crate::Jobs::step_retention`].
    ///
    /// # Errors
    /// None of its own.
    pub fn step_retention(&mut self, before: Timestamp) -> Result<Stepped, StoreError> {
        let bound = first_key(before);
        let mut rows = 0;
        while rows < RETENTION_STEP {
            let Some(uid) = self.events.keys().next().copied().filter(|uid| *uid < bound.event) else { break };
            rows += self.delete_event(uid);
        }
        let more = self.events.keys().next().is_some_and(|uid| *uid < bound.event);
        Ok(Stepped { rows, more, ..Stepped::default() })
    }

    fn delete_event(&mut self, uid: EventUid) -> usize {
        let of_event = |key: &DeliveryKey| key.event == uid;
        let waiting: Vec<_> = self.work.keys().copied().filter(of_event).collect();
        for key in &waiting {
            self.take_work(*key);
        }
        let before = self.ended.len() + self.attempts.len() + self.events.len();
        self.ended.retain(|key, _| key.event != uid);
        self.attempts.retain(|key, _| key.delivery.event != uid);
        self.transcripts.retain(|owner, _| owner.delivery.event != uid);
        self.fanouts.remove(&uid);
        self.idhs.retain(|_, first| *first != uid);
        self.events.remove(&uid);
        waiting.len() + before - (self.ended.len() + self.attempts.len() + self.events.len())
    }
}

fn first_key(at: Timestamp) -> DeliveryKey {
    DeliveryKey { event: first_uid(at), destination: DestinationNo(i64::MIN), run: 0 }
}
