//! Small values, environments and keys.

use super::tenants::next_number;
use crate::codec::{Cells, blob, json};
use crate::error::{Res, damaged};
use bytes::Bytes;
use railhead_model::{EnvironmentNo, KeyId};
use railhead_store::StoreError;
use railhead_store::directory::{Environment, Expect, Key};
use serde_json::Value;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

pub(super) async fn meta(connection: &mut SqliteConnection, name: String) -> Res<Option<Bytes>> {
    let query = sqlx::query("SELECT value FROM meta WHERE name = ?").bind(name);
    let found = query.fetch_optional(connection).await?;
    found.map(|row| Cells::new(&row).bytes()).transpose()
}

pub(super) async fn put_meta(connection: &mut SqliteConnection, name: String, value: Vec<u8>) -> Res<Bytes> {
    let query = sqlx::query("INSERT OR IGNORE INTO meta (name, value) VALUES (?, ?)").bind(name.as_str()).bind(value);
    query.execute(&mut *connection).await?;
    meta(connection, name).await?.ok_or_else(|| damaged("a value that was just stored is not there"))
}

pub(super) async fn replace_meta(
    connection: &mut SqliteConnection,
    name: String,
    old: Vec<u8>,
    new: Vec<u8>,
) -> Res<bool> {
    let query = sqlx::query("UPDATE meta SET value = ? WHERE name = ? AND value = ?").bind(new).bind(name).bind(old);
    Ok(query.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn all(connection: &mut SqliteConnection) -> Res<Vec<Environment>> {
    let query = sqlx::query("SELECT no, name, settings, revision FROM environment ORDER BY no");
    query.fetch_all(connection).await?.iter().map(environment).collect()
}

pub(super) async fn put(
    connection: &mut SqliteConnection,
    name: String,
    settings: Value,
    expect: Expect,
) -> Res<Environment> {
    let query = sqlx::query("SELECT no, name, settings, revision FROM environment WHERE name = ?").bind(name.as_str());
    let found = query.fetch_optional(&mut *connection).await?;
    let found = found.map(|row| environment(&row)).transpose()?;
    let revision = expect.next(found.as_ref().map(|found| found.revision))?;
    let no = match found {
        Some(found) => found.no,
        None => {
            let next = next_number(connection, "environment").await?;
            EnvironmentNo(i32::try_from(next).map_err(|_| damaged("more environments than numbers"))?)
        }
    };
    let sql = "INSERT OR REPLACE INTO environment (no, name, settings, revision) VALUES (?, ?, ?, ?)";
    let query = sqlx::query(sql).bind(no.0).bind(name.as_str()).bind(json(&settings)?).bind(revision);
    query.execute(&mut *connection).await?;
    // Its settings may change how its tenants' events are routed.
    let bump = sqlx::query("UPDATE tenant SET generation = generation + 1 WHERE environment = ?").bind(no.0);
    bump.execute(connection).await?;
    Ok(Environment { no, name, settings, revision })
}

pub(super) async fn key_by_hash(connection: &mut SqliteConnection, hash: [u8; 32]) -> Res<Option<Key>> {
    let sql = "SELECT id, environment, name, hash, scopes, created_at, expires_at, revoked
               FROM api_key WHERE hash = ?";
    let found = sqlx::query(sql).bind(hash.as_slice()).fetch_optional(connection).await?;
    found.map(|row| key(&row)).transpose()
}

pub(super) async fn put_key(connection: &mut SqliteConnection, key: Key) -> Res<()> {
    let taken = sqlx::query_scalar("SELECT count(*) FROM api_key WHERE hash = ? AND id <> ?");
    let taken: i64 = taken.bind(key.hash.as_slice()).bind(blob(&key.id.0)).fetch_one(&mut *connection).await?;
    if taken > 0 {
        return Err(StoreError::Conflict("another key has this secret".to_owned()).into());
    }
    let sql = "INSERT INTO api_key (id, environment, name, hash, scopes, created_at, expires_at, revoked)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?)
               ON CONFLICT (id) DO UPDATE SET environment = excluded.environment, name = excluded.name,
                   hash = excluded.hash, scopes = excluded.scopes, created_at = excluded.created_at,
                   expires_at = excluded.expires_at, revoked = max(api_key.revoked, excluded.revoked)";
    let query = sqlx::query(sql).bind(blob(&key.id.0)).bind(key.environment.map(|no| no.0)).bind(key.name);
    let query = query.bind(key.hash.as_slice()).bind(json(&key.scopes)?).bind(key.created_at.0);
    query.bind(key.expires_at.map(|at| at.0)).bind(key.revoked).execute(connection).await?;
    Ok(())
}

pub(super) async fn keys(connection: &mut SqliteConnection, environment: Option<EnvironmentNo>) -> Res<Vec<Key>> {
    let sql = "SELECT id, environment, name, hash, scopes, created_at, expires_at, revoked
               FROM api_key WHERE environment IS ? ORDER BY id DESC";
    let query = sqlx::query(sql).bind(environment.map(|no| no.0));
    query.fetch_all(connection).await?.iter().map(key).collect()
}

fn environment(row: &SqliteRow) -> Res<Environment> {
    let mut cells = Cells::new(row);
    let no = i32::try_from(cells.int()?).map_err(|_| damaged("an environment number out of range"))?;
    Ok(Environment { no: EnvironmentNo(no), name: cells.text()?, settings: cells.json()?, revision: cells.int()? })
}

fn key(row: &SqliteRow) -> Res<Key> {
    let mut cells = Cells::new(row);
    Ok(Key {
        id: KeyId(cells.uuid()?),
        environment: cells.get::<Option<i32>>()?.map(EnvironmentNo),
        name: cells.text()?,
        hash: cells.array()?,
        scopes: cells.json()?,
        created_at: cells.time()?,
        expires_at: cells.maybe_time()?,
        revoked: cells.flag()?,
    })
}
