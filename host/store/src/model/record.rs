//! Record, on the model.

use super::ModelCore;
use super::tables::{Ended, Starts, Waiting};
use crate::StoreError;
use crate::history::AttemptRow;
use crate::record::{Change, POISON_STARTS, RecordAnswer, Recording, Started};
use railhead_model::{AttemptKey, DeliveryKey, HostId};

impl ModelCore {
    /// See [`crate::Record::record`].
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub fn record(&mut self, host: HostId, batch: &[Recording]) -> Result<Vec<RecordAnswer>, StoreError> {
        self.unfenced(host)?;
        Ok(batch.iter().map(|recording| self.record_one(recording)).collect())
    }

    /// See [`crate::Record::start`].
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub fn start(&mut self, host: HostId, deliveries: &[DeliveryKey], alone: bool) -> Result<Vec<Started>, StoreError> {
        self.unfenced(host)?;
        let mut start = |key| self.work.get_mut(key).map_or(Started::Gone, |row| row.start(host, alone));
        Ok(deliveries.iter().map(&mut start).collect())
    }

    /// See [`crate::Record::unstart`].
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub fn unstart(&mut self, host: HostId, deliveries: &[DeliveryKey]) -> Result<(), StoreError> {
        self.unfenced(host)?;
        for key in deliveries {
            if let Some(waiting) = self.work.get_mut(key) {
                waiting.unstart(host);
            }
        }
        Ok(())
    }

    fn record_one(&mut self, recording: &Recording) -> RecordAnswer {
        if let (Some(owner), Some(sealed), Some(_)) = (recording.owner, &recording.transcript, &recording.attempt) {
            self.transcripts.entry(owner).or_insert_with(|| sealed.clone());
        }
        let matching = self.work.get(&recording.key).filter(|waiting| waiting.row.rev == recording.rev).cloned();
        let Some(waiting) = matching else {
            self.keep_refused(recording);
            return RecordAnswer::Refused;
        };
        match &recording.change {
            Change::Retry { .. } => self.retry(recording, waiting),
            Change::End { .. } => self.end(recording, waiting),
        }
    }

    fn retry(&mut self, recording: &Recording, mut waiting: Waiting) -> RecordAnswer {
        if let Change::Retry { due, attempts, since } = recording.change {
            let row = &mut waiting.row;
            row.due = due;
            row.attempts = attempts;
            row.since = Some(since);
        }
        let row = &mut waiting.row;
        row.rev += 1;
        row.tries = row.tries.max(n_of(recording));
        let rev = row.rev;
        self.put_work(waiting);
        self.keep_attempt(recording);
        RecordAnswer::Applied(rev)
    }

    fn end(&mut self, recording: &Recording, waiting: Waiting) -> RecordAnswer {
        let Change::End { end, code, at, attempts } = &recording.change else { return RecordAnswer::Refused };
        let Waiting { mut row, made_at, .. } = waiting;
        self.take_work(row.key);
        row.tries = row.tries.max(n_of(recording));
        let (code, last) = (code.clone(), attempt_row(recording));
        self.ended.insert(row.key, Ended { row, made_at, end: *end, code, attempts: *attempts, at: *at, last });
        RecordAnswer::Applied(row.rev + 1)
    }

    /// The attempt was made, whatever became of the row: it is on record, and its number is not given again.
    fn keep_refused(&mut self, recording: &Recording) {
        let n = n_of(recording);
        if let Some(waiting) = self.work.get_mut(&recording.key) {
            waiting.row.tries = waiting.row.tries.max(n);
        }
        let inline = self.ended.get(&recording.key).and_then(|ended| ended.last.as_ref());
        if inline.is_none_or(|last| last.attempt.n != n) {
            self.keep_attempt(recording);
        }
    }

    fn keep_attempt(&mut self, recording: &Recording) {
        if let Some(row) = attempt_row(recording) {
            let key = AttemptKey { delivery: recording.key, n: row.attempt.n };
            self.attempts.entry(key).or_insert(row);
        }
    }
}

impl Waiting {
    /// Starts of the next attempt; those of the attempts before it do not count.
    fn open_starts(&self) -> Starts {
        let tries = self.row.tries;
        Some(self.starts).filter(|starts| starts.tries == tries).unwrap_or(Starts { tries, ..Starts::default() })
    }

    fn start(&mut self, host: HostId, alone: bool) -> Started {
        let before = self.open_starts();
        let own = before.by == Some(host);
        if !own && before.count >= POISON_STARTS {
            return Started::Poisoned;
        }
        if before.count > u32::from(own) && !alone {
            return Started::Alone;
        }
        if !own {
            self.starts = Starts { count: before.count + 1, by: Some(host), ..before };
        }
        Started::Go
    }

    fn unstart(&mut self, host: HostId) {
        let before = self.open_starts();
        if before.by == Some(host) {
            self.starts = Starts { count: before.count.saturating_sub(1), by: None, ..before };
        }
    }
}

fn n_of(recording: &Recording) -> u32 {
    recording.attempt.as_ref().map_or(0, |attempt| attempt.n)
}

fn attempt_row(recording: &Recording) -> Option<AttemptRow> {
    let attempt = recording.attempt.clone()?;
    let own = if recording.owner.is_none() { recording.transcript.clone() } else { None };
    Some(AttemptRow { attempt, transcript: own, owner: recording.owner })
}
