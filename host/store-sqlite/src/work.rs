//! Unfinished deliveries: refill, survey, payloads, commands, health, batches.

mod batches;
pub(crate) mod queue;

use crate::SqliteStore;
use crate::codec::{Cells, blob, json, list};
use crate::error::Res;
use crate::lease::unfenced;
use crate::multi::Multi;
use async_trait::async_trait;
use queue::{COLUMNS, NewWork, end_work, insert_work, load_work, read_row, save_work};
use railhead_model::{DeliveryKey, DestinationNo, End, EventUid, HostId, JobId, Origin, TenantNo, Timestamp};
use railhead_store::StoreError;
use railhead_store::work::{
    Command, Commanded, Health, Position, RefillAnswer, RefillAsk, StableBatch, StoredEvent, WorkRow, WorkStore,
};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use std::sync::LazyLock;

// SQLite plans by the value of a bare `LIMIT ?`, and so prepares the statement anew whenever one is bound: a tenth of all
// that its threads did under load. The sign keeps it from looking.
static BY_DUE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {COLUMNS} FROM work WHERE destination = ? AND (due, event, run) > (?, ?, ?)
         ORDER BY due, event, run LIMIT +?"
    )
});

static BY_SEQ: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {COLUMNS} FROM work WHERE destination = ? AND lane IS NOT NULL AND seq > ? ORDER BY seq LIMIT +?")
});

static PAYLOADS: LazyLock<Multi> = LazyLock::new(|| {
    Multi::new(
        "WITH asked (uid) AS (VALUES",
        1,
        ") SELECT e.uid, e.tenant, e.id, e.type, e.at, e.head, e.payload, e.payload_bytes
         FROM asked a CROSS JOIN event e ON e.uid = a.uid",
    )
});

#[async_trait]
impl WorkStore for SqliteStore {
    async fn refill(&self, asks: &[RefillAsk]) -> Result<Vec<RefillAnswer>, StoreError> {
        let asks = asks.to_vec();
        self.inner.readers.run(move |connection| Box::pin(refill(connection, asks))).await
    }

    async fn survey(&self, destinations: &[DestinationNo]) -> Result<Vec<(DestinationNo, Timestamp)>, StoreError> {
        let asked = list(destinations.iter().map(|no| no.0));
        self.inner.readers.run(move |connection| Box::pin(survey(connection, asked))).await
    }

    async fn payloads(&self, uids: &[EventUid]) -> Result<Vec<StoredEvent>, StoreError> {
        let uids = uids.to_vec();
        self.inner.readers.run(move |connection| Box::pin(payloads(connection, uids))).await
    }

    async fn command(&self, key: DeliveryKey, command: Command, now: Timestamp) -> Result<Commanded, StoreError> {
        self.inner.writer.run(move |connection| Box::pin(do_command(connection, key, command, now))).await
    }

    async fn redeliver(&self, key: DeliveryKey, origin: Origin, now: Timestamp) -> Result<DeliveryKey, StoreError> {
        self.inner
            .writer
            .run(move |connection| {
                Box::pin(async move {
                    let made = make_again(connection, key, origin, None, now).await?;
                    made.ok_or_else(|| StoreError::NotFound("ended delivery").into())
                })
            })
            .await
    }

    async fn save_health(&self, host: HostId, health: &[(DestinationNo, Health)]) -> Result<(), StoreError> {
        let health = health.to_vec();
        self.inner.writer.run(move |connection| Box::pin(save_health(connection, host, health))).await
    }

    async fn open_batches(&self, host: HostId, batches: &[StableBatch]) -> Result<(), StoreError> {
        let batches = batches.to_vec();
        self.inner.writer.run(move |connection| Box::pin(batches::open(connection, host, batches))).await
    }

    async fn batches(&self, destinations: &[DestinationNo]) -> Result<Vec<StableBatch>, StoreError> {
        let asked = list(destinations.iter().map(|no| no.0));
        self.inner.readers.run(move |connection| Box::pin(batches::read(connection, asked))).await
    }

    async fn close_batch(&self, host: HostId, destination: DestinationNo, number: u64) -> Result<(), StoreError> {
        self.inner.writer.run(move |connection| Box::pin(batches::close(connection, host, destination, number))).await
    }

    async fn waiting(&self, destinations: &[DestinationNo], cap: u32) -> Result<Vec<(DestinationNo, u32)>, StoreError> {
        let asked = list(destinations.iter().map(|no| no.0));
        self.inner.readers.run(move |connection| Box::pin(waiting(connection, asked, cap))).await
    }
}

async fn refill(connection: &mut SqliteConnection, asks: Vec<RefillAsk>) -> Res<Vec<RefillAnswer>> {
    let mut answers = Vec::with_capacity(asks.len());
    for ask in asks {
        let found = if ask.ordered { by_seq(connection, &ask).await? } else { by_due(connection, &ask).await? };
        let rows: Res<Vec<WorkRow>> = found.iter().map(|row| Ok(read_row(row)?.row)).collect();
        answers.push(RefillAnswer { destination: ask.destination, rows: rows? });
    }
    Ok(answers)
}

async fn by_due(connection: &mut SqliteConnection, ask: &RefillAsk) -> Res<Vec<SqliteRow>> {
    let start = Position::Due(Timestamp(i64::MIN), crate::codec::first_uid(Timestamp(0)), 0);
    let (due, event, run) = match ask.after.unwrap_or(start) {
        Position::Due(due, event, run) => (due, event, run),
        Position::Seq(_) => (Timestamp(i64::MIN), crate::codec::first_uid(Timestamp(0)), 0),
    };
    let query = sqlx::query(BY_DUE.as_str()).bind(ask.destination.0).bind(due.0);
    let query = query.bind(blob(&event.0)).bind(i64::from(run)).bind(i64::from(ask.limit));
    Ok(query.fetch_all(connection).await?)
}

async fn by_seq(connection: &mut SqliteConnection, ask: &RefillAsk) -> Res<Vec<SqliteRow>> {
    let after = match ask.after {
        Some(Position::Seq(seq)) => seq,
        _ => i64::MIN,
    };
    let query = sqlx::query(BY_SEQ.as_str()).bind(ask.destination.0).bind(after).bind(i64::from(ask.limit));
    Ok(query.fetch_all(connection).await?)
}

const SURVEY: &str =
    "SELECT asked.value, (SELECT due FROM work WHERE destination = asked.value ORDER BY due LIMIT 1) AS due
     FROM json_each(?) asked WHERE due IS NOT NULL";

const WAITING: &str =
    "SELECT asked.value, (SELECT count(*) FROM (SELECT 1 FROM work WHERE destination = asked.value LIMIT ?2))
     FROM json_each(?1) asked";

async fn survey(connection: &mut SqliteConnection, asked: String) -> Res<Vec<(DestinationNo, Timestamp)>> {
    let rows = sqlx::query(SURVEY).bind(asked).fetch_all(connection).await?;
    let pair = |row| {
        let mut cells = Cells::new(row);
        Ok((cells.destination()?, cells.time()?))
    };
    rows.iter().map(pair).collect()
}

async fn waiting(connection: &mut SqliteConnection, asked: String, cap: u32) -> Res<Vec<(DestinationNo, u32)>> {
    let rows = sqlx::query(WAITING).bind(asked).bind(i64::from(cap)).fetch_all(connection).await?;
    let pair = |row| {
        let mut cells = Cells::new(row);
        Ok((cells.destination()?, cells.count()?))
    };
    rows.iter().map(pair).collect()
}

async fn payloads(connection: &mut SqliteConnection, uids: Vec<EventUid>) -> Res<Vec<StoredEvent>> {
    let rows = PAYLOADS.fetch(connection, &uids, |args, uid| {
        args.push(blob(&uid.0));
    });
    let event = |row| {
        let mut cells = Cells::new(row);
        Ok(StoredEvent {
            uid: cells.uid()?,
            tenant: cells.tenant()?,
            id: cells.text()?,
            event_type: cells.text()?,
            at: cells.time()?,
            head: cells.bytes()?,
            payload: cells.maybe_bytes()?,
            payload_bytes: cells.count()?,
        })
    };
    rows.await?.iter().map(event).collect()
}

async fn do_command(
    connection: &mut SqliteConnection,
    key: DeliveryKey,
    command: Command,
    now: Timestamp,
) -> Res<Commanded> {
    let Some(mut stored) = load_work(connection, &[key]).await?.remove(&key) else { return Ok(Commanded::NotWaiting) };
    match command {
        Command::RetryNow => {
            stored.row.due = now;
            stored.row.rev += 1;
            save_work(connection, &[&stored]).await?;
        }
        Command::Cancel => end_work(connection, &[stored.row], End::Cancelled, "cancelled", now).await?,
    }
    Ok(Commanded::Done)
}

const AGAIN: &str = "SELECT d.tenant, d.lane, o.ordered, e.payload_bytes,
               (SELECT max(run) FROM work w WHERE w.event = d.event AND w.destination = d.destination),
               (SELECT max(run) FROM delivery l WHERE l.event = d.event AND l.destination = d.destination)
               FROM delivery d CROSS JOIN destination o ON o.no = d.destination CROSS JOIN event e ON e.uid = d.event
               WHERE d.event = ? AND d.destination = ? AND d.run = ?";

/// Makes the next run of an ended delivery; `None` if it, its destination or its event is gone.
pub(crate) async fn make_again(
    connection: &mut SqliteConnection,
    key: DeliveryKey,
    origin: Origin,
    job: Option<JobId>,
    now: Timestamp,
) -> Res<Option<DeliveryKey>> {
    let query = sqlx::query(AGAIN).bind(blob(&key.event.0)).bind(key.destination.0).bind(i64::from(key.run));
    let Some(found) = query.fetch_optional(&mut *connection).await? else { return Ok(None) };
    let mut cells = Cells::new(&found);
    let (tenant, lane): (TenantNo, Option<[u8; 16]>) = (cells.tenant()?, cells.maybe_array()?);
    let (ordered, bytes) = (cells.flag()?, cells.count()?);
    let last = cells.maybe_run()?.max(cells.maybe_run()?).unwrap_or(0);
    let next = DeliveryKey { run: last + 1, ..key };
    // Made before the destination kept an order: all such share one lane.
    let lane = ordered.then(|| lane.unwrap_or_default());
    let new = NewWork { key: next, tenant, lane, origin, previous: Some(key.run), job, due: now, bytes };
    insert_work(connection, vec![new]).await?;
    Ok(Some(next))
}

const SAVE_HEALTH: &str = "UPDATE destination SET health = ? WHERE no = ?
    AND EXISTS (SELECT 1 FROM shard s WHERE s.no = destination.shard AND s.owner = ?)";

async fn save_health(connection: &mut SqliteConnection, host: HostId, health: Vec<(DestinationNo, Health)>) -> Res<()> {
    unfenced(connection, host).await?;
    for (no, health) in health {
        let query = sqlx::query(SAVE_HEALTH).bind(json(&health)?).bind(no.0).bind(blob(&host.0));
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static str> {
    let mut all = queue::statements();
    all.extend(PAYLOADS.statements());
    all.extend([BY_DUE.as_str(), BY_SEQ.as_str(), SURVEY, WAITING, AGAIN]);
    all
}
