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
    pub fn start(&mut self, host: HostId, deliveries: &[DeliveryKey]) -> Result<Vec<Started>, StoreError> {
        self.unfenced(host)?;
        Ok(deliveries.iter().map(|key| self.work.get_mut(key).map_or(Started::Gone, |row| row.start(host))).collect())
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
    fn start(&mut self, host: HostId) -> Started {
        let tries = self.row.tries;
        let before = Some(self.starts).filter(|starts| starts.tries == tries).unwrap_or_default();
        if before.by == Some(host) {
            return Started::Go;
        }
        if before.count >= POISON_STARTS {
            return Started::Poisoned;
        }
        self.starts = Starts { count: before.count + 1, tries, by: Some(host) };
        Started::Go
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
