//! Leases: the database's clock decides.

use crate::connect::{PostgresStore, commit};
use crate::error::{committing, undone};
use crate::rows::{get, time};
use async_trait::async_trait;
use railhead_model::{HostId, ShardNo, Timestamp};
use railhead_store::StoreError;
use railhead_store::lease::{LEASE_MS, Leases, Owned};
use sqlx::PgConnection;

/// Renewing waits for a take-over that is about to fence this host, and then finds it fenced.
const RENEW: &str = "
WITH f AS MATERIALIZED (SELECT id FROM host WHERE id = $1 AND NOT fenced FOR SHARE)
INSERT INTO host_lease (host, expires)
SELECT f.id, (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $2 FROM f
ON CONFLICT (host) DO UPDATE SET expires = EXCLUDED.expires
RETURNING expires - $2 AS now";

/// Locks this host and those that seem expired, in one order for all who take over.
const CANDIDATES: &str = "
SELECT h.id, h.fenced FROM host h
WHERE h.id = $1 OR (NOT h.fenced AND NOT EXISTS (SELECT 1 FROM host_lease l WHERE l.host = h.id
    AND l.expires > (extract(epoch FROM clock_timestamp()) * 1000)::bigint))
ORDER BY h.id FOR UPDATE OF h";

/// With the rows locked nobody renews: what is expired now stays so.
const FENCE: &str = "
UPDATE host SET fenced = true WHERE id = ANY($1::uuid[]) AND id <> $2 AND NOT EXISTS (
    SELECT 1 FROM host_lease l
    WHERE l.host = host.id AND l.expires > (extract(epoch FROM clock_timestamp()) * 1000)::bigint)";

/// Free shards and those of fenced hosts, up to a fair share: ceil(256 / live hosts).
const MOVE: &str = "
WITH live AS (SELECT GREATEST(count(*), 1) AS hosts FROM host WHERE NOT fenced),
mine AS (SELECT count(*) AS shards FROM shard WHERE owner = $1),
free AS MATERIALIZED (
    SELECT s.no FROM shard s
    WHERE s.owner IS NULL OR EXISTS (SELECT 1 FROM host h WHERE h.id = s.owner AND h.fenced)
        OR NOT EXISTS (SELECT 1 FROM host h WHERE h.id = s.owner)
    ORDER BY s.no
    LIMIT (SELECT GREATEST((255 + live.hosts) / live.hosts - mine.shards, 0) FROM live, mine)
    FOR UPDATE OF s SKIP LOCKED)
UPDATE shard SET owner = $1, epoch = epoch + 1 WHERE no = ANY(ARRAY(SELECT no FROM free))";

#[async_trait]
impl Leases for PostgresStore {
    async fn join(&self, host: HostId, now: Timestamp) -> Result<(), StoreError> {
        let mut transaction = self.engine_begin().await?;
        sqlx::query("INSERT INTO host (id, fenced, joined_at) VALUES ($1, false, $2) ON CONFLICT DO NOTHING")
            .bind(host.0)
            .bind(now.0)
            .execute(&mut *transaction)
            .await
            .map_err(undone)?;
        renew(&mut transaction, host).await?;
        commit(transaction).await
    }

    async fn renew(&self, host: HostId, _now: Timestamp) -> Result<Owned, StoreError> {
        let mut connection = self.engine().await?;
        let now = renew(&mut connection, host).await?;
        owned(&mut connection, host, now).await
    }

    async fn take_over(&self, host: HostId, _now: Timestamp) -> Result<Owned, StoreError> {
        let mut transaction = self.engine_begin().await?;
        let rows = sqlx::query(CANDIDATES).bind(host.0).fetch_all(&mut *transaction).await.map_err(undone)?;
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
        sqlx::query(FENCE).bind(ids).bind(host.0).execute(&mut *transaction).await.map_err(undone)?;
        sqlx::query(MOVE).bind(host.0).execute(&mut *transaction).await.map_err(undone)?;
        let now = clock(&mut transaction).await?;
        let owned = owned(&mut transaction, host, now).await?;
        commit(transaction).await?;
        Ok(owned)
    }

    async fn release(&self, host: HostId, shards: &[ShardNo]) -> Result<(), StoreError> {
        let mut transaction = self.engine_begin().await?;
        let open = sqlx::query("SELECT 1 FROM host WHERE id = $1 AND NOT fenced FOR SHARE")
            .bind(host.0)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(undone)?;
        if open.is_none() {
            return Err(StoreError::Fenced);
        }
        sqlx::query("UPDATE shard SET owner = NULL WHERE owner = $1 AND no = ANY($2::smallint[])")
            .bind(host.0)
            .bind(shards.iter().map(|no| i16::from(no.0)).collect::<Vec<_>>())
            .execute(&mut *transaction)
            .await
            .map_err(undone)?;
        // A host that gave everything back counts as live no longer, unless it renews.
        sqlx::query(
            "UPDATE host_lease SET expires = 0 WHERE host = $1 AND NOT EXISTS (SELECT 1 FROM shard WHERE owner = $1)",
        )
        .bind(host.0)
        .execute(&mut *transaction)
        .await
        .map_err(undone)?;
        commit(transaction).await
    }
}

/// Extends the lease; answers with the database's time.
async fn renew(connection: &mut PgConnection, host: HostId) -> Result<Timestamp, StoreError> {
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

async fn owned(connection: &mut PgConnection, host: HostId, now: Timestamp) -> Result<Owned, StoreError> {
    let rows = sqlx::query("SELECT no, epoch FROM shard WHERE owner = $1 ORDER BY no")
        .bind(host.0)
        .fetch_all(connection)
        .await
        .map_err(undone)?;
    let shard = |row| {
        let no: i16 = get(row, "no")?;
        let no = u8::try_from(no).map_err(|_| StoreError::Damaged(format!("shard {no}")))?;
        Ok((ShardNo(no), get(row, "epoch")?))
    };
    Ok(Owned { now, shards: rows.iter().map(shard).collect::<Result<_, StoreError>>()? })
}
