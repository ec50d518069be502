//! Leases: the database's clock decides.

mod line;

pub use line::LeaseLine;

use crate::connect::PostgresStore;
use crate::error::{committing, undone};
use crate::rows::{get, time, time_opt};
use async_trait::async_trait;
use railhead_model::{HostId, ShardNo, Timestamp};
use railhead_store::StoreError;
use railhead_store::lease::{LEASE_MS, Leases, Owned, SUSPECT_MS, fair};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

/// Renewing waits for a take-over that is about to fence this host, and then finds it fenced. A lease that expired
/// begins anew.
const RENEW: &str = "
WITH f AS MATERIALIZED (SELECT id FROM host WHERE id = $1 AND NOT fenced FOR SHARE),
t AS MATERIALIZED (SELECT f.id, (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now FROM f)
INSERT INTO host_lease (host, expires, since) SELECT t.id, t.now + $2, t.now FROM t
ON CONFLICT (host) DO UPDATE SET expires = EXCLUDED.expires,
    since = CASE WHEN host_lease.expires > EXCLUDED.since THEN host_lease.since ELSE EXCLUDED.since END
RETURNING expires - $2 AS now";

/// Locks this host and those that seem expired, in one order for all who take over.
const CANDIDATES: &str = "
SELECT h.id, h.fenced FROM host h
WHERE h.id = $1 OR (NOT h.fenced AND NOT EXISTS (SELECT 1 FROM host_lease l WHERE l.host = h.id
    AND l.expires > (extract(epoch FROM clock_timestamp()) * 1000)::bigint))
ORDER BY h.id FOR UPDATE OF h";

/// With the rows locked nobody renews: what is expired now stays so.
const FENCE: &str = "
UPDATE host SET fenced = true WHERE id = ANY($1::uuid[]) AND id <> $2
AND NOT EXISTS (
    SELECT 1 FROM host_lease l
    WHERE l.host = host.id AND l.expires > (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
AND EXISTS (
    SELECT 1 FROM host_lease m
    WHERE m.host = $2 AND m.since + $3 <= (extract(epoch FROM clock_timestamp()) * 1000)::bigint)";

/// Hosts that are over for a day, and own nothing. Whoever asks for one finds no row, which is as good as fenced. Before
/// shards move, so that one that has just been fenced is still there.
const FORGET: &str = "
WITH old AS MATERIALIZED (
    SELECT h.id FROM host h
    WHERE h.fenced AND NOT EXISTS (SELECT 1 FROM host_lease l WHERE l.host = h.id AND l.expires > $1 - 86400000)
    AND NOT EXISTS (SELECT 1 FROM shard s WHERE s.owner = h.id)
    ORDER BY h.id FOR UPDATE OF h SKIP LOCKED),
leases AS (DELETE FROM host_lease l WHERE l.host = ANY(ARRAY(SELECT id FROM old)))
DELETE FROM host h WHERE h.id = ANY(ARRAY(SELECT id FROM old))";

/// So many free shards, and those of fenced hosts. One that still has an owner lost it to a death.
const MOVE: &str = "
WITH free AS MATERIALIZED (
    SELECT s.no FROM shard s
    WHERE s.owner IS NULL OR NOT EXISTS (SELECT 1 FROM host h WHERE h.id = s.owner AND NOT h.fenced)
    ORDER BY s.no LIMIT $2 FOR UPDATE OF s SKIP LOCKED)
UPDATE shard SET owner = $1, epoch = epoch + 1,
    died1 = CASE WHEN owner IS NULL THEN died1 ELSE $3 END,
    died2 = CASE WHEN owner IS NULL THEN died2 ELSE died1 END,
    died3 = CASE WHEN owner IS NULL THEN died3 ELSE died2 END
WHERE no = ANY(ARRAY(SELECT no FROM free))";

/// What this host owns, and what it needs to know of the others.
const STANDING: &str = "
WITH live AS MATERIALIZED (
    SELECT h.id, l.expires FROM host h JOIN host_lease l ON l.host = h.id WHERE NOT h.fenced),
mine AS MATERIALIZED (SELECT no, epoch, died3 > $2 - $3 AS suspect FROM shard WHERE owner = $1)
SELECT
    ARRAY(SELECT no FROM mine ORDER BY no) AS nos,
    ARRAY(SELECT epoch FROM mine ORDER BY no) AS epochs,
    ARRAY(SELECT no FROM mine WHERE suspect ORDER BY no) AS suspects,
    (SELECT count(*) FROM live WHERE id = $1 OR expires > $2) AS hosts,
    (SELECT count(*) FROM live WHERE id < $1 AND expires > $2) AS rank,
    (SELECT count(*) FROM shard s
        WHERE s.owner IS NULL OR NOT EXISTS (SELECT 1 FROM host h WHERE h.id = s.owner AND NOT h.fenced)) AS free,
    (SELECT min(GREATEST(live.expires, m.since + $4)) FROM live CROSS JOIN host_lease m
        WHERE live.id <> $1 AND m.host = $1) AS next";

const RELEASE: &str = "UPDATE shard SET owner = NULL WHERE owner = $1 AND no = ANY($2::smallint[])";

#[async_trait]
impl Leases for PostgresStore {
    /// Nothing runs yet that would wait for it; nor does it any more when a host leaves.
    async fn join(&self, host: HostId, now: Timestamp) -> Result<(), StoreError> {
        self.engine_write(join(self, host, now)).await
    }

    async fn renew(&self, host: HostId, _now: Timestamp) -> Result<Owned, StoreError> {
        self.lease_write(renew(self, host)).await
    }

    async fn take_over(&self, host: HostId, _now: Timestamp) -> Result<Owned, StoreError> {
        self.lease_write(take_over(self, host)).await
    }

    async fn release(&self, host: HostId, shards: &[ShardNo]) -> Result<(), StoreError> {
        self.lease_write(release(self, host, shards)).await
    }

    async fn leave(&self, host: HostId) -> Result<(), StoreError> {
        self.engine_write(leave(self, host)).await
    }
}

async fn join(store: &PostgresStore, host: HostId, now: Timestamp) -> Result<(), StoreError> {
    let mut begun = store.lease_line().begin().await?;
    sqlx::query("INSERT INTO host (id, fenced, joined_at) VALUES ($1, false, $2) ON CONFLICT DO NOTHING")
        .bind(host.0)
        .bind(now.0)
        .execute(&mut *begun)
        .await
        .map_err(undone)?;
    extend(&mut begun, host).await?;
    begun.commit().await
}

/// In no transaction: the lease runs from its own statement, whatever becomes of the reading.
async fn renew(store: &PostgresStore, host: HostId) -> Result<Owned, StoreError> {
    let mut held = store.lease_line().hold().await?;
    let now = extend(&mut held, host).await?;
    let owned = standing(&mut held, host, now).await?;
    held.keep();
    Ok(owned)
}

async fn take_over(store: &PostgresStore, host: HostId) -> Result<Owned, StoreError> {
    let mut begun = store.lease_line().begin().await?;
    let rows = sqlx::query(CANDIDATES).bind(host.0).fetch_all(&mut *begun).await.map_err(undone)?;
    let mut ids: Vec<uuid::Uuid> = Vec::new();
    let mut joined = false;
    for row in &rows {
        let id = get(row, "id")?;
        joined |= id == host.0 && !get::<bool>(row, "fenced")?;
        ids.push(id);
    }
    if !joined {
        return Err(StoreError::Fenced);
    }
    let fence = sqlx::query(FENCE).bind(ids).bind(host.0).bind(LEASE_MS);
    fence.execute(&mut *begun).await.map_err(undone)?;
    let now = clock(&mut begun).await?;
    sqlx::query(FORGET).bind(now.0).execute(&mut *begun).await.map_err(undone)?;
    let mut owned = standing(&mut begun, host, now).await?;
    let room = owned.fair.saturating_sub(owned.shards.len()).min(owned.free);
    if room > 0 {
        let take = sqlx::query(MOVE).bind(host.0).bind(i64::try_from(room).unwrap_or(i64::MAX)).bind(now.0);
        take.execute(&mut *begun).await.map_err(undone)?;
        owned = standing(&mut begun, host, now).await?;
    }
    begun.commit().await?;
    Ok(owned)
}

async fn release(store: &PostgresStore, host: HostId, shards: &[ShardNo]) -> Result<(), StoreError> {
    let mut begun = store.lease_line().begin().await?;
    let open = sqlx::query("SELECT 1 FROM host WHERE id = $1 AND NOT fenced FOR SHARE")
        .bind(host.0)
        .fetch_optional(&mut *begun)
        .await
        .map_err(undone)?;
    if open.is_none() {
        return Err(StoreError::Fenced);
    }
    sqlx::query(RELEASE)
        .bind(host.0)
        .bind(shards.iter().map(|no| i16::from(no.0)).collect::<Vec<_>>())
        .execute(&mut *begun)
        .await
        .map_err(undone)?;
    begun.commit().await
}

async fn leave(store: &PostgresStore, host: HostId) -> Result<(), StoreError> {
    let mut begun = store.lease_line().begin().await?;
    let left = sqlx::query("UPDATE host SET fenced = true WHERE id = $1 AND NOT fenced")
        .bind(host.0)
        .execute(&mut *begun)
        .await
        .map_err(undone)?;
    if left.rows_affected() == 0 {
        return Ok(());
    }
    sqlx::query("UPDATE shard SET owner = NULL WHERE owner = $1")
        .bind(host.0)
        .execute(&mut *begun)
        .await
        .map_err(undone)?;
    begun.commit().await
}

/// Extends the lease; answers with the database's time.
async fn extend(connection: &mut PgConnection, host: HostId) -> Result<Timestamp, StoreError> {
    let row = sqlx::query(RENEW).bind(host.0).bind(LEASE_MS).fetch_optional(connection).await.map_err(committing)?;
    row.map_or(Err(StoreError::Fenced), |row| time(&row, "now"))
}

async fn clock(connection: &mut PgConnection) -> Result<Timestamp, StoreError> {
    sqlx::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
        .fetch_one(connection)
        .await
        .map(Timestamp)
        .map_err(undone)
}

async fn standing(connection: &mut PgConnection, host: HostId, now: Timestamp) -> Result<Owned, StoreError> {
    let query = sqlx::query(STANDING).bind(host.0).bind(now.0).bind(SUSPECT_MS).bind(LEASE_MS);
    let row = query.fetch_one(connection).await.map_err(undone)?;
    let epochs: Vec<i64> = get(&row, "epochs")?;
    Ok(Owned {
        now,
        shards: shards(&row, "nos")?.into_iter().zip(epochs).collect(),
        fair: fair(number(&row, "rank")?, number(&row, "hosts")?),
        free: number(&row, "free")?,
        next: time_opt(&row, "next")?,
        suspects: shards(&row, "suspects")?,
    })
}

fn shards(row: &PgRow, column: &str) -> Result<Vec<ShardNo>, StoreError> {
    let nos: Vec<i16> = get(row, column)?;
    let shard = |no| u8::try_from(no).map(ShardNo).map_err(|_| StoreError::Damaged(format!("shard {no}")));
    nos.into_iter().map(shard).collect()
}

fn number(row: &PgRow, column: &str) -> Result<usize, StoreError> {
    Ok(usize::try_from(get::<i64>(row, column)?).unwrap_or_default())
}
