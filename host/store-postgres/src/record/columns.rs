//! Recordings laid out as one array for each column, sorted by key: concurrent writers lock rows in one order.

use crate::rows::{int, text};
use railhead_model::{Attempt, AttemptKey};
use railhead_store::record::{Change, Recording};
use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use std::borrow::Cow;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The arrays, in the order of the statement's parameters after the host.
#[derive(Default)]
pub struct Columns<'a> {
    ord: Vec<i32>,
    event: Vec<Uuid>,
    destination: Vec<i64>,
    run: Vec<i32>,
    rev: Vec<i32>,
    /// The end's number; `None` for a retry.
    state: Vec<Option<i16>>,
    /// When it ended, or is due again.
    at: Vec<i64>,
    attempts: Vec<i32>,
    since: Vec<Option<i64>>,
    code: Vec<Option<Cow<'a, str>>>,
    n: Vec<Option<i32>>,
    started_at: Vec<Option<i64>>,
    duration_ms: Vec<Option<i32>>,
    outcome: Vec<Option<i16>>,
    reason: Vec<Option<Cow<'a, str>>>,
    message: Vec<Option<Cow<'a, str>>>,
    status: Vec<Option<Cow<'a, str>>>,
    connector_version: Vec<Option<Cow<'a, str>>>,
    config_revision: Vec<Option<i64>>,
    transcript: Vec<Option<&'a [u8]>>,
    owner: Vec<Option<Vec<u8>>>,
    shared: Shared<'a>,
}

/// Transcripts that several attempts share, each once, by the key that it is sealed for.
#[derive(Default)]
struct Shared<'a> {
    event: Vec<Uuid>,
    destination: Vec<i64>,
    run: Vec<i64>,
    n: Vec<i32>,
    sealed: Vec<&'a [u8]>,
}

impl<'a> Columns<'a> {
    /// Of recordings with their numbers in the batch.
    pub fn new(recordings: impl Iterator<Item = (usize, &'a Recording)>) -> Self {
        let mut sorted: Vec<_> = recordings.collect();
        sorted.sort_by_key(|(_, recording)| recording.key);
        let mut columns = Self { shared: Shared::of(&sorted), ..Self::default() };
        for (i, recording) in sorted {
            columns.push(i32::try_from(i).unwrap_or(i32::MAX), recording);
        }
        columns
    }

    pub fn is_empty(&self) -> bool {
        self.ord.is_empty()
    }

    pub fn bind<'q>(&self, query: Query<'q, Postgres, PgArguments>) -> Query<'q, Postgres, PgArguments> {
        query
            .bind(self.ord.clone())
            .bind(self.event.clone())
            .bind(self.destination.clone())
            .bind(self.run.clone())
            .bind(self.rev.clone())
            .bind(self.state.clone())
            .bind(self.at.clone())
            .bind(self.attempts.clone())
            .bind(self.since.clone())
            .bind(self.code.clone())
            .bind(self.n.clone())
            .bind(self.started_at.clone())
            .bind(self.duration_ms.clone())
            .bind(self.outcome.clone())
            .bind(self.reason.clone())
            .bind(self.message.clone())
            .bind(self.status.clone())
            .bind(self.connector_version.clone())
            .bind(self.config_revision.clone())
            .bind(self.transcript.clone())
            .bind(self.owner.clone())
            .bind(self.shared.event.clone())
            .bind(self.shared.destination.clone())
            .bind(self.shared.run.clone())
            .bind(self.shared.n.clone())
            .bind(self.shared.sealed.clone())
    }

    fn push(&mut self, ord: i32, recording: &'a Recording) {
        self.ord.push(ord);
        self.event.push(recording.key.event.0);
        self.destination.push(recording.key.destination.0);
        self.run.push(int(recording.key.run));
        self.rev.push(int(recording.rev));
        self.push_change(&recording.change);
        self.push_attempt(recording.attempt.as_ref());
        self.transcript.push(recording.transcript.as_deref().filter(|_| recording.owner.is_none()));
        self.owner.push(recording.owner.map(|owner| owner.bytes().to_vec()));
    }

    fn push_change(&mut self, change: &'a Change) {
        let (state, at, attempts, since, code) = match change {
            Change::Retry { due, attempts, since } => (None, due, attempts, Some(since.0), None),
            Change::End { end, code, at, attempts } => (Some(*end as i16), at, attempts, None, Some(text(code))),
        };
        self.state.push(state);
        self.at.push(at.0);
        self.attempts.push(int(*attempts));
        self.since.push(since);
        self.code.push(code);
    }

    fn push_attempt(&mut self, attempt: Option<&'a Attempt>) {
        self.n.push(attempt.map(|a| int(a.n)));
        self.started_at.push(attempt.map(|a| a.started_at.0));
        self.duration_ms.push(attempt.map(|a| int(a.duration_ms)));
        self.outcome.push(attempt.map(|a| a.outcome as i16));
        self.reason.push(attempt.map(|a| text(&a.reason.code)));
        self.message.push(attempt.map(|a| text(&a.reason.message)));
        self.status.push(attempt.and_then(|a| a.reason.status.as_deref()).map(text));
        self.connector_version.push(attempt.map(|a| text(&a.connector_version)));
        self.config_revision.push(attempt.map(|a| a.config_revision));
    }
}

impl<'a> Shared<'a> {
    fn of(recordings: &[(usize, &'a Recording)]) -> Self {
        let made = recordings.iter().filter(|(_, recording)| recording.attempt.is_some());
        let once: BTreeMap<AttemptKey, &[u8]> =
            made.filter_map(|(_, recording)| Some((recording.owner?, recording.transcript.as_deref()?))).collect();
        let mut columns = Self::default();
        for (AttemptKey { delivery, n }, sealed) in once {
            columns.event.push(delivery.event.0);
            columns.destination.push(delivery.destination.0);
            columns.run.push(i64::from(delivery.run));
            columns.n.push(int(n));
            columns.sealed.push(sealed);
        }
        columns
    }
}
