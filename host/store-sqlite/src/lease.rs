//! Leases. One host at a time holds the file, so a host that joins fences its predecessors at once.

use crate::SqliteStore;
use crate::codec::{Cells, blob, list};
use crate::error::Res;
use async_trait::async_trait;
use railhead_model::{HostId, ShardNo, Timestamp};
use railhead_store::StoreError;
use railhead_store::lease::{LEASE_MS, Leases, Owned};
use sqlx::sqlite::SqliteConnection;

#[async_trait]
impl Leases for SqliteStore {
    async fn join(&self, host: HostId, now: Timestamp) -> Result<(), StoreError> {
        self.inner.writer.run(move |connection| Box::pin(join(connection, host, now))).await
    }

    async fn renew(&self, host: HostId, now: Timestamp) -> Result<Owned, StoreError> {
        self.inner.writer.run(move |connection| Box::pin(renew(connection, host, now))).await
    }

    async fn take_over(&self, host: HostId, now: Timestamp) -> Result<Owned, StoreError> {
        self.inner.writer.run(move |connection| Box::pin(take_over(connection, host, now))).await
    }

    async fn release(&self, host: HostId, shards: &[ShardNo]) -> Result<(), StoreError> {
        let shards = list(shards.iter().map(|no| i64::from(no.0)));
        self.inner.writer.run(move |connection| Box::pin(release(connection, host, shards))).await
    }
}

/// Refuses a host that was fenced, or never joined.
pub(crate) async fn unfenced(connection: &mut SqliteConnection, host: HostId) -> Res<()> {
    let sql = "SELECT 1 FROM host WHERE id = ? AND fenced = 0";
    let found = sqlx::query(sql).bind(blob(&host.0)).fetch_optional(connection).await?;
    found.map(drop).ok_or_else(|| StoreError::Fenced.into())
}

async fn join(connection: &mut SqliteConnection, host: HostId, now: Timestamp) -> Res<()> {
    let sql = "INSERT INTO host (id, expires, fenced) VALUES (?, ?, 0)
               ON CONFLICT (id) DO UPDATE SET expires = excluded.expires";
    sqlx::query(sql).bind(blob(&host.0)).bind(now.plus_ms(LEASE_MS).0).execute(&mut *connection).await?;
    unfenced(connection, host).await?;
    sqlx::query("UPDATE host SET fenced = 1 WHERE id <> ?").bind(blob(&host.0)).execute(&mut *connection).await?;
    free_fenced(connection).await
}

async fn renew(connection: &mut SqliteConnection, host: HostId, now: Timestamp) -> Res<Owned> {
    unfenced(connection, host).await?;
    let query = sqlx::query("UPDATE host SET expires = ? WHERE id = ?").bind(now.plus_ms(LEASE_MS).0);
    query.bind(blob(&host.0)).execute(&mut *connection).await?;
    owned(connection, host, now).await
}

async fn take_over(connection: &mut SqliteConnection, host: HostId, now: Timestamp) -> Res<Owned> {
    unfenced(connection, host).await?;
    let fence = sqlx::query("UPDATE host SET fenced = 1 WHERE fenced = 0 AND expires <= ? AND id <> ?");
    fence.bind(now.0).bind(blob(&host.0)).execute(&mut *connection).await?;
    free_fenced(connection).await?;
    let live = "SELECT count(*) FROM host WHERE fenced = 0";
    let live: i64 = sqlx::query_scalar(live).fetch_one(&mut *connection).await?;
    let mine = owned(connection, host, now).await?.shards.len() as i64;
    let room = ((256 + live - 1) / live.max(1) - mine).max(0);
    let sql = "UPDATE shard SET owner = ?, epoch = epoch + 1
               WHERE no IN (SELECT no FROM shard WHERE owner IS NULL ORDER BY no LIMIT ?)";
    sqlx::query(sql).bind(blob(&host.0)).bind(room).execute(&mut *connection).await?;
    owned(connection, host, now).await
}

async fn release(connection: &mut SqliteConnection, host: HostId, shards: String) -> Res<()> {
    unfenced(connection, host).await?;
    let sql = "UPDATE shard SET owner = NULL WHERE owner = ? AND no IN (SELECT value FROM json_each(?))";
    sqlx::query(sql).bind(blob(&host.0)).bind(shards).execute(&mut *connection).await?;
    // Without shards it counts as live no longer, unless it renews.
    let sql = "UPDATE host SET expires = 0 WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM shard WHERE owner = ?1)";
    sqlx::query(sql).bind(blob(&host.0)).execute(connection).await?;
    Ok(())
}

async fn free_fenced(connection: &mut SqliteConnection) -> Res<()> {
    let sql = "UPDATE shard SET owner = NULL WHERE owner IN (SELECT id FROM host WHERE fenced = 1)";
    sqlx::query(sql).execute(connection).await?;
    Ok(())
}

async fn owned(connection: &mut SqliteConnection, host: HostId, now: Timestamp) -> Res<Owned> {
    let sql = "SELECT no, epoch FROM shard WHERE owner = ? ORDER BY no";
    let rows = sqlx::query(sql).bind(blob(&host.0)).fetch_all(connection).await?;
    let shard = |row| {
        let mut cells = Cells::new(row);
        Ok((cells.word(|no| Some(ShardNo(no)))?, cells.int()?))
    };
    let shards: Res<_> = rows.iter().map(shard).collect();
    Ok(Owned { now, shards: shards? })
}
