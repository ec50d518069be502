//! Record: the fence, one look at the rows, then what changed, over many rows each.

use crate::SqliteStore;
use crate::codec::blob;
use crate::error::Res;
use crate::lease::unfenced;
use crate::multi::{Args, Multi};
use crate::work::queue::{DELETE_WORK, Stored, load_work, save_work};
use async_trait::async_trait;
use railhead_model::{AttemptKey, DeliveryKey, HostId};
use railhead_store::StoreError;
use railhead_store::record::{Change, Record, RecordAnswer, Recording, Started};
use sqlx::sqlite::SqliteConnection;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

static INSERT_DELIVERIES: LazyLock<Multi> = LazyLock::new(|| {
    Multi::new(
        "INSERT INTO delivery (event, destination, run, tenant, state, code, attempts, tries, at, lane, origin,
         previous, job, made_at, n, started_at, duration_ms, outcome, reason_code, message, status,
         connector_version, config_revision, transcript, owner) VALUES",
        25,
        "",
    )
});

static INSERT_ATTEMPTS: LazyLock<Multi> = LazyLock::new(|| {
    Multi::new(
        "INSERT OR IGNORE INTO attempt (event, destination, run, n, started_at, duration_ms, outcome, reason_code,
         message, status, connector_version, config_revision, transcript, owner) VALUES",
        14,
        "",
    )
});

static INSERT_TRANSCRIPTS: LazyLock<Multi> =
    LazyLock::new(|| Multi::new("INSERT OR IGNORE INTO transcript (event, destination, run, n, sealed) VALUES", 5, ""));

#[async_trait]
impl Record for SqliteStore {
    async fn record(&self, host: HostId, batch: &[Recording]) -> Result<Vec<RecordAnswer>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let batch = batch.to_vec();
        self.inner.writer.run(move |connection| Box::pin(record(connection, host, batch))).await
    }

    async fn start(&self, host: HostId, deliveries: &[DeliveryKey], alone: bool) -> Result<Vec<Started>, StoreError> {
        let keys = deliveries.to_vec();
        self.inner.writer.run(move |connection| Box::pin(crate::start::start(connection, host, keys, alone))).await
    }

    async fn unstart(&self, host: HostId, deliveries: &[DeliveryKey]) -> Result<(), StoreError> {
        let keys = deliveries.to_vec();
        self.inner.writer.run(move |connection| Box::pin(crate::start::unstart(connection, host, keys))).await
    }
}

/// What a batch comes to.
#[derive(Default)]
struct Outcome<'b> {
    changed: BTreeSet<DeliveryKey>,
    ended: Vec<(Stored, &'b Recording)>,
    attempts: Vec<&'b Recording>,
}

async fn record(connection: &mut SqliteConnection, host: HostId, batch: Vec<Recording>) -> Res<Vec<RecordAnswer>> {
    unfenced(connection, host).await?;
    let keys: BTreeSet<DeliveryKey> = batch.iter().map(|recording| recording.key).collect();
    let keys: Vec<_> = keys.into_iter().collect();
    let mut rows = load_work(connection, &keys).await?;
    let mut outcome = Outcome::default();
    let answers = batch.iter().map(|recording| apply(recording, &mut rows, &mut outcome)).collect();
    write(connection, &rows, outcome).await?;
    write_shared(connection, &batch).await?;
    Ok(answers)
}

fn apply<'b>(
    recording: &'b Recording,
    rows: &mut BTreeMap<DeliveryKey, Stored>,
    outcome: &mut Outcome<'b>,
) -> RecordAnswer {
    let n = recording.attempt.as_ref().map_or(0, |attempt| attempt.n);
    let key = recording.key;
    let Some(stored) = rows.get_mut(&key) else {
        outcome.attempts.push(recording);
        return RecordAnswer::Refused;
    };
    let row = &mut stored.row;
    let fits = row.rev == recording.rev;
    if row.tries < n {
        row.tries = n; // the number of an attempt that was made is not given again, whatever became of the row
        outcome.changed.insert(key);
    }
    if !fits {
        outcome.attempts.push(recording);
        return RecordAnswer::Refused;
    }
    row.rev += 1;
    let rev = row.rev;
    match &recording.change {
        Change::Retry { due, attempts, since } => {
            (row.due, row.attempts, row.since) = (*due, *attempts, Some(*since));
            outcome.changed.insert(key);
            outcome.attempts.push(recording);
        }
        Change::End { .. } => {
            outcome.changed.remove(&key);
            outcome.ended.extend(rows.remove(&key).map(|stored| (stored, recording)));
        }
    }
    RecordAnswer::Applied(rev)
}

async fn write(
    connection: &mut SqliteConnection,
    rows: &BTreeMap<DeliveryKey, Stored>,
    mut outcome: Outcome<'_>,
) -> Res<()> {
    let changed: Vec<&Stored> = outcome.changed.iter().filter_map(|key| rows.get(key)).collect();
    save_work(connection, &changed).await?;
    outcome.ended.sort_by_key(|(stored, _)| stored.row.key); // in the order of the indexes
    outcome.attempts.retain(|recording| recording.attempt.is_some());
    outcome.attempts.sort_by_key(|recording| recording.key);
    DELETE_WORK.execute(connection, &outcome.ended, |args, (stored, _)| args.push_key(stored.row.key)).await?;
    INSERT_DELIVERIES.execute(connection, &outcome.ended, bind_delivery).await?;
    INSERT_ATTEMPTS
        .execute(connection, &outcome.attempts, |args, recording| {
            args.push_key(recording.key);
            bind_attempt(args, recording);
        })
        .await?;
    Ok(())
}

/// Transcripts of requests that carried several deliveries, each once.
async fn write_shared(connection: &mut SqliteConnection, batch: &[Recording]) -> Res<()> {
    let made = batch.iter().filter(|recording| recording.attempt.is_some());
    let shared: BTreeMap<AttemptKey, &[u8]> =
        made.filter_map(|recording| Some((recording.owner?, recording.transcript.as_deref()?))).collect();
    let shared: Vec<_> = shared.into_iter().collect();
    let bind = |args: &mut Args, (owner, sealed): &(AttemptKey, &[u8])| {
        args.push_key(owner.delivery);
        args.push(i64::from(owner.n)).push(*sealed);
    };
    INSERT_TRANSCRIPTS.execute(connection, &shared, bind).await?;
    Ok(())
}

fn bind_delivery(args: &mut Args, (stored, recording): &(Stored, &Recording)) {
    let Stored { row, made_at } = stored;
    args.push_key(row.key);
    args.push(row.tenant.0);
    if let Change::End { end, code, at, attempts } = &recording.change {
        args.push(*end as i32).push(code.as_str()).push(i64::from(*attempts)).push(i64::from(row.tries)).push(at.0);
    }
    args.push(row.lane.as_ref().map(<[u8; 16]>::as_slice)).push(row.origin as i32);
    args.push(row.previous.map(i64::from)).push(row.job.as_ref().map(|job| blob(&job.0))).push(made_at.0);
    bind_attempt(args, recording);
}

/// The nine columns of an attempt and its transcript; nulls where none was made.
fn bind_attempt(args: &mut Args, recording: &Recording) {
    let attempt = recording.attempt.as_ref();
    args.push(attempt.map(|attempt| i64::from(attempt.n)));
    args.push(attempt.map(|attempt| attempt.started_at.0));
    args.push(attempt.map(|attempt| i64::from(attempt.duration_ms)));
    args.push(attempt.map(|attempt| attempt.outcome as i32));
    args.push(attempt.map(|attempt| attempt.reason.code.as_str()));
    args.push(attempt.map(|attempt| attempt.reason.message.as_str()));
    args.push(attempt.and_then(|attempt| attempt.reason.status.as_deref()));
    args.push(attempt.map(|attempt| attempt.connector_version.as_str()));
    args.push(attempt.map(|attempt| attempt.config_revision));
    args.push(recording.transcript.as_deref().filter(|_| recording.owner.is_none()));
    args.push(recording.owner.map(AttemptKey::bytes).as_ref().map(<[u8; 32]>::as_slice));
}

impl Args {
    /// `event, destination, run`.
    pub fn push_key(&mut self, key: DeliveryKey) {
        self.push(blob(&key.event.0)).push(key.destination.0).push(i64::from(key.run));
    }
}

#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static str> {
    [&INSERT_DELIVERIES, &INSERT_ATTEMPTS, &INSERT_TRANSCRIPTS]
        .into_iter()
        .flat_map(|multi| multi.statements())
        .collect()
}
