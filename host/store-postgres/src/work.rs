//! Unfinished deliveries: the hot reads, and what the trait's other methods delegate to.

mod again;
mod batches;
mod command;
mod refill;

pub use again::{again, lock_runs, take_seqs};

use crate::connect::PostgresStore;
use crate::error::{Commits, undone};
use crate::rows::{bytes, count, get, int, time, to_json};
use async_trait::async_trait;
use bytes::Bytes;
use railhead_model::{DeliveryKey, DestinationNo, EventUid, HostId, Origin, TenantNo, Timestamp};
use railhead_store::work::{Command, Commanded, Health, StableBatch};
use railhead_store::{RefillAnswer, RefillAsk, StoreError, StoredEvent, WorkStore};
use sqlx::postgres::PgRow;

/// One index probe per destination, whatever its backlog.
const SURVEY: &str = "
SELECT u.no, w.due FROM unnest($1::bigint[]) AS u(no)
CROSS JOIN LATERAL (SELECT w.due FROM work w WHERE w.destination = u.no ORDER BY w.destination, w.due LIMIT 1) w";

/// The bounds let the planner leave out whole days. A uid is asked for as a range with an order, which only its own index
/// has: on a day that is still empty the tenants' index, of which it is the second column, seems as good for an equality.
const PAYLOADS: &str = "
SELECT e.uid, e.tenant, e.id, e.type, e.at, e.head, e.payload, e.payload_bytes FROM unnest($1::uuid[]) AS u(uid)
CROSS JOIN LATERAL (
    SELECT * FROM event e
    WHERE e.uid >= u.uid AND e.uid <= u.uid AND e.uid BETWEEN $2 AND $3 ORDER BY e.uid LIMIT 1
) e";

const SAVE_HEALTH: &str = "
WITH f AS MATERIALIZED (SELECT 1 FROM host WHERE id = $1 AND NOT fenced FOR SHARE),
saved AS (
    UPDATE destination d SET health = r.health::json
    FROM f CROSS JOIN unnest($2::bigint[], $3::text[]) AS r(no, health)
    WHERE d.no = r.no AND EXISTS (SELECT 1 FROM shard s WHERE s.no = d.shard AND s.owner = $1))
SELECT 1 FROM f";

const WAITING: &str = "
SELECT u.no, w.n FROM unnest($1::bigint[]) AS u(no)
CROSS JOIN LATERAL (SELECT count(*) AS n FROM (
    SELECT 1 FROM work w WHERE w.destination = u.no ORDER BY w.destination, w.due LIMIT $2) x) w";

#[async_trait]
impl WorkStore for PostgresStore {
    async fn refill(&self, asks: &[RefillAsk]) -> Result<Vec<RefillAnswer>, StoreError> {
        self.engine_read(refill::refill(self, asks)).await
    }

    async fn survey(&self, destinations: &[DestinationNo]) -> Result<Vec<(DestinationNo, Timestamp)>, StoreError> {
        self.engine_read(survey(self, destinations)).await
    }

    async fn payloads(&self, uids: &[EventUid]) -> Result<Vec<StoredEvent>, StoreError> {
        self.engine_read(payloads(self, uids)).await
    }

    async fn command(&self, key: DeliveryKey, command: Command, now: Timestamp) -> Result<Commanded, StoreError> {
        self.desk_write(command::command(self, key, command, now)).await
    }

    async fn redeliver(&self, key: DeliveryKey, origin: Origin, now: Timestamp) -> Result<DeliveryKey, StoreError> {
        self.desk_write(again::redeliver(self, key, origin, now)).await
    }

    async fn save_health(&self, host: HostId, health: &[(DestinationNo, Health)]) -> Result<(), StoreError> {
        self.engine_write(save_health(self, host, health)).await
    }

    async fn open_batches(&self, host: HostId, batches: &[StableBatch]) -> Result<(), StoreError> {
        self.engine_write(batches::open(self, host, batches)).await
    }

    async fn batches(&self, destinations: &[DestinationNo]) -> Result<Vec<StableBatch>, StoreError> {
        self.engine_read(batches::list(self, destinations)).await
    }

    async fn close_batch(&self, host: HostId, destination: DestinationNo, number: u64) -> Result<(), StoreError> {
        self.engine_write(batches::close(self, host, destination, number)).await
    }

    async fn waiting(&self, destinations: &[DestinationNo], cap: u32) -> Result<Vec<(DestinationNo, u32)>, StoreError> {
        self.engine_read(waiting(self, destinations, cap)).await
    }
}

async fn survey(
    store: &PostgresStore,
    destinations: &[DestinationNo],
) -> Result<Vec<(DestinationNo, Timestamp)>, StoreError> {
    let query = sqlx::query(SURVEY).bind(numbers(destinations));
    let rows = query.fetch_all(&mut *store.engine().await?).await.map_err(undone)?;
    rows.iter().map(|row| Ok((DestinationNo(get(row, "no")?), time(row, "due")?))).collect()
}

async fn payloads(store: &PostgresStore, uids: &[EventUid]) -> Result<Vec<StoredEvent>, StoreError> {
    let (Some(low), Some(high)) = (uids.iter().min(), uids.iter().max()) else { return Ok(Vec::new()) };
    let rows = sqlx::query(PAYLOADS)
        .bind(uids.iter().map(|uid| uid.0).collect::<Vec<_>>())
        .bind(low.0)
        .bind(high.0)
        .fetch_all(&mut *store.engine().await?)
        .await
        .map_err(undone)?;
    rows.iter().map(stored_event).collect()
}

async fn save_health(
    store: &PostgresStore,
    host: HostId,
    health: &[(DestinationNo, Health)],
) -> Result<(), StoreError> {
    let texts = health.iter().map(|(_, health)| to_json(health)).collect::<Result<Vec<_>, _>>()?;
    let open = sqlx::query(SAVE_HEALTH)
        .bind(host.0)
        .bind(health.iter().map(|(no, _)| no.0).collect::<Vec<_>>())
        .bind(texts)
        .fetch_optional(&mut *store.engine().await?)
        .await
        .commits()?;
    open.map(|_| ()).ok_or(StoreError::Fenced)
}

async fn waiting(
    store: &PostgresStore,
    destinations: &[DestinationNo],
    cap: u32,
) -> Result<Vec<(DestinationNo, u32)>, StoreError> {
    let query = sqlx::query(WAITING).bind(numbers(destinations)).bind(i64::from(cap));
    let rows = query.fetch_all(&mut *store.engine().await?).await.map_err(undone)?;
    let number = |row| Ok(u32::try_from(get::<i64>(row, "n")?).unwrap_or(u32::MAX));
    rows.iter().map(|row| Ok((DestinationNo(get(row, "no")?), number(row)?))).collect()
}

fn numbers(destinations: &[DestinationNo]) -> Vec<i64> {
    destinations.iter().map(|no| no.0).collect()
}

fn stored_event(row: &PgRow) -> Result<StoredEvent, StoreError> {
    Ok(StoredEvent {
        uid: EventUid(get(row, "uid")?),
        tenant: TenantNo(get(row, "tenant")?),
        id: get(row, "id")?,
        event_type: get(row, "type")?,
        at: time(row, "at")?,
        head: bytes(row, "head")?,
        payload: get::<Option<Vec<u8>>>(row, "payload")?.map(Bytes::from),
        payload_bytes: count(row, "payload_bytes")?,
    })
}

/// The three columns of a delivery's key, as they are bound.
fn parts(key: DeliveryKey) -> (uuid::Uuid, i64, i32) {
    (key.event.0, key.destination.0, int(key.run))
}
