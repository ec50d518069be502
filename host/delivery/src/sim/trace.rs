//! What happened: as a hash always, as lines on demand.

use crate::core::{Effect, Input};
use std::fmt;

/// Two runs of a seed are compared by the hash; the lines are for people, and are written only for a seed that failed.
pub struct Trace {
    hash: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    pub fn new(keep: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, lines: keep.then(Vec::new) }
    }

    /// Takes these numbers into the hash, and keeps the line if lines are kept.
    pub fn note(&mut self, numbers: &[u64], line: fmt::Arguments<'_>) {
        for number in numbers {
            // FNV-1a over words; the shift brings high bits down, which the product alone never does.
            self.hash = (self.hash ^ number).wrapping_mul(0x0000_0100_0000_01b3);
            self.hash ^= self.hash >> 29;
        }
        if let Some(lines) = &mut self.lines {
            lines.push(line.to_string());
        }
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    pub fn lines(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }
}

/// Numbers that tell inputs apart.
pub fn input_numbers(input: &Input) -> [u64; 3] {
    match input {
        Input::Pushed(rows) => [1, rows.len() as u64, rows.first().map_or(0, |row| row.key.destination.0 as u64)],
        Input::Hinted(nos) => [2, nos.len() as u64, nos.first().map_or(0, |no| no.0 as u64)],
        Input::Surveyed(found) => [3, found.len() as u64, found.iter().map(|(_, due)| due.0 as u64).sum()],
        Input::Refilled { destination, rows } => {
            [4, destination.0 as u64, rows.iter().map(|row| row.due.0 as u64).sum()]
        }
        Input::RefillFailed(no) => [5, no.0 as u64, 0],
        Input::Settled { attempt, outcomes } => {
            let classes = outcomes.iter().map(|(key, outcome)| key.destination.0 as u64 + outcome.class() as u64);
            [6, attempt.0, classes.sum()]
        }
        Input::AttemptOver(id) => [7, id.0, 0],
        Input::Recorded { record, answers } => [8, record.0, answers.len() as u64],
        Input::RecordUnknown(id) => [9, id.0, 0],
        Input::Lease { until_mono_ms, shards, .. } => [10, *until_mono_ms, shards.len() as u64],
        Input::Suspects(shards) => [19, shards.len() as u64, 0],
        Input::Started { attempt, answers } => [20, attempt.0, answers.len() as u64],
        Input::Unstarted(id) => [33, id.0, 0],
        Input::Fenced => [11, 0, 0],
        Input::Config(settings) => [12, settings.no.0 as u64, settings.state as u64],
        Input::Gone(no) => [13, no.0 as u64, 0],
        Input::Cut(shards) => [32, shards.len() as u64, 0],
        Input::Batches(batches) => [14, batches.len() as u64, batches.iter().map(|batch| batch.number >> 8).sum()],
        Input::BatchOpened(no, number) => [15, no.0 as u64, *number],
        Input::BatchClosed(no, number) => [18, no.0 as u64, *number],
        Input::Tick => [16, 0, 0],
        Input::Drain => [17, 0, 0],
    }
}

/// Numbers that tell effects apart.
pub fn effect_numbers(effect: &Effect) -> [u64; 3] {
    match effect {
        Effect::Attempt { id, items, .. } => {
            let members = items.iter().map(|item| (item.key.event.0.as_u128() as u64 >> 8) + u64::from(item.n));
            [21, id.0, members.sum()]
        }
        Effect::Start { id, deliveries, alone } => [31, id.0, 2 * deliveries.len() as u64 + u64::from(*alone)],
        Effect::Unstart { id, deliveries } => [34, id.0, deliveries.len() as u64],
        Effect::Abort(id) => [22, id.0, 0],
        Effect::Refill(ask) => [23, ask.destination.0 as u64, u64::from(ask.limit)],
        Effect::Record { id, items } => [24, id.0, items.iter().map(|item| u64::from(item.rev) + 1).sum()],
        Effect::SaveHealth(no, health) => [25, no.0 as u64, u64::from(health.failures)],
        Effect::OpenBatch(batch) => [26, batch.number, batch.due.0 as u64],
        Effect::CloseBatch(no, number) => [27, no.0 as u64, *number],
        Effect::Failing(no, failing) => [28, no.0 as u64, u64::from(*failing)],
        Effect::Disable(no, _) => [29, no.0 as u64, 0],
        Effect::WakeAt(at) => [30, *at, 0],
    }
}
