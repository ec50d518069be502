//! Leases. One host at a time holds the file, so a host that joins fences its predecessors at once.

use crate::SqliteStore;
use crate::codec::{Cells, blob, list};
use crate::error::Res;
use async_trait::async_trait;
use railhead_model::{HostId, ShardNo, Timestamp};
use railhead_store::StoreError;
use railhead_store::lease::{LEASE_MS, Leases, Owned, SUSPECT_MS, fair};
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

    async fn leave(&self, host: HostId) -> Result<(), StoreError> {
        self.inner.writer.run(move |connection| Box::pin(leave(connection, host))).await
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
    free_fenced(connection, now).await
}

async fn renew(connection: &mut SqliteConnection, host: HostId, now: Timestamp) -> Res<Owned> {
    unfenced(connection, host).await?;
    let query = sqlx::query("UPDATE host SET expires = ? WHERE id = ?").bind(now.plus_ms(LEASE_MS).0);
    query.bind(blob(&host.0)).execute(&mut *connection).await?;
    owned(connection, host, now).await
}

async fn take_over(connection: &mut SqliteConnection, host: HostId, now: Timestamp) -> Res<Owned> {
    unfenced(connection, host).await?;
    let before = owned(connection, host, now).await?;
    let room = before.fair.saturating_sub(before.shards.len());
    let sql = "UPDATE shard SET owner = ?, epoch = epoch + 1
               WHERE no IN (SELECT no FROM shard WHERE owner IS NULL ORDER BY no LIMIT ?)";
    sqlx::query(sql).bind(blob(&host.0)).bind(room as i64).execute(&mut *connection).await?;
    owned(connection, host, now).await
}

async fn release(connection: &mut SqliteConnection, host: HostId, shards: String) -> Res<()> {
    unfenced(connection, host).await?;
    let sql = "UPDATE shard SET owner = NULL WHERE owner = ? AND no IN (SELECT value FROM json_each(?))";
    sqlx::query(sql).bind(blob(&host.0)).bind(shards).execute(&mut *connection).await?;
    Ok(())
}

async fn leave(connection: &mut SqliteConnection, host: HostId) -> Res<()> {
    // What a fenced host owned is no longer its own: nothing matches.
    sqlx::query("UPDATE shard SET owner = NULL WHERE owner = ?").bind(blob(&host.0)).execute(&mut *connection).await?;
    sqlx::query("UPDATE host SET fenced = 1 WHERE id = ?").bind(blob(&host.0)).execute(connection).await?;
    Ok(())
}

/// Frees the shards of hosts that died; each has lost an owner.
async fn free_fenced(connection: &mut SqliteConnection, now: Timestamp) -> Res<()> {
    let sql = "UPDATE shard SET owner = NULL, died1 = ?, died2 = died1, died3 = died2
               WHERE owner IN (SELECT id FROM host WHERE fenced = 1)";
    sqlx::query(sql).bind(now.0).execute(connection).await?;
    Ok(())
}

/// There is never another live host: the share is everything, and nobody's lease is waited for.
async fn owned(connection: &mut SqliteConnection, host: HostId, now: Timestamp) -> Res<Owned> {
    let sql = "SELECT no, epoch, died3 FROM shard WHERE owner = ? ORDER BY no";
    let rows = sqlx::query(sql).bind(blob(&host.0)).fetch_all(&mut *connection).await?;
    let (mut shards, mut suspects) = (Vec::new(), Vec::new());
    for row in &rows {
        let mut cells = Cells::new(row);
        let no = cells.word(|no| Some(ShardNo(no)))?;
        shards.push((no, cells.int()?));
        if cells.int()? > now.plus_ms(-SUSPECT_MS).0 {
            suspects.push(no);
        }
    }
    let free: i64 =
        sqlx::query_scalar("SELECT count(*) FROM shard WHERE owner IS NULL").fetch_one(&mut *connection).await?;
    Ok(Owned { now, shards, fair: fair(0, 1), free: free as usize, next: None, suspects })
}
