//! Small values of the whole store, API keys, stored answers.

use crate::connect::PostgresStore;
use crate::error::{Commits, undone};
use crate::rows::{bytes, get, time, time_opt};
use bytes::Bytes;
use railhead_model::{EnvironmentNo, KeyId, Timestamp};
use railhead_store::StoreError;
use railhead_store::directory::{ANSWER_KEPT_MS, Answer, Key};
use sqlx::postgres::PgRow;

pub async fn meta(store: &PostgresStore, name: &str) -> Result<Option<Bytes>, StoreError> {
    let value: Option<Vec<u8>> = sqlx::query_scalar("SELECT value FROM meta WHERE name = $1")
        .bind(name)
        .fetch_optional(&mut *store.desk().await?)
        .await
        .map_err(undone)?;
    Ok(value.map(Bytes::from))
}

pub async fn put_meta(store: &PostgresStore, name: &str, value: &[u8]) -> Result<Bytes, StoreError> {
    sqlx::query("INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(name)
        .bind(value)
        .execute(&mut *store.desk().await?)
        .await
        .commits()?;
    meta(store, name).await?.ok_or(StoreError::NotFound("named value"))
}

pub async fn replace_meta(store: &PostgresStore, name: &str, old: &[u8], new: &[u8]) -> Result<bool, StoreError> {
    let done = sqlx::query("UPDATE meta SET value = $3 WHERE name = $1 AND value = $2")
        .bind(name)
        .bind(old)
        .bind(new)
        .execute(&mut *store.desk().await?)
        .await
        .commits()?;
    Ok(done.rows_affected() == 1)
}

pub async fn key_by_hash(store: &PostgresStore, hash: &[u8; 32]) -> Result<Option<Key>, StoreError> {
    let row = sqlx::query("SELECT * FROM api_key WHERE hash = $1")
        .bind(hash.as_slice())
        .fetch_optional(&mut *store.desk().await?)
        .await
        .map_err(undone)?;
    row.as_ref().map(key).transpose()
}

pub async fn put_key(store: &PostgresStore, key: &Key) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO api_key (id, environment, name, hash, scopes, created_at, expires_at, revoked)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (id) DO UPDATE SET environment = EXCLUDED.environment, name = EXCLUDED.name, hash = EXCLUDED.hash,
            scopes = EXCLUDED.scopes, created_at = EXCLUDED.created_at, expires_at = EXCLUDED.expires_at,
            revoked = api_key.revoked OR EXCLUDED.revoked",
    )
    .bind(key.id.0)
    .bind(key.environment.map(|no| no.0))
    .bind(&key.name)
    .bind(key.hash.as_slice())
    .bind(&key.scopes)
    .bind(key.created_at.0)
    .bind(key.expires_at.map(|at| at.0))
    .bind(key.revoked)
    .execute(&mut *store.desk().await?)
    .await
    .map(|_| ())
    .commits()
}

pub async fn keys(store: &PostgresStore, environment: Option<EnvironmentNo>) -> Result<Vec<Key>, StoreError> {
    let rows = sqlx::query("SELECT * FROM api_key WHERE environment IS NOT DISTINCT FROM $1 ORDER BY id DESC")
        .bind(environment.map(|no| no.0))
        .fetch_all(&mut *store.desk().await?)
        .await
        .map_err(undone)?;
    rows.iter().map(key).collect()
}

pub async fn answer(store: &PostgresStore, scope: &[u8; 32], now: Timestamp) -> Result<Option<Answer>, StoreError> {
    let row = sqlx::query("SELECT request, sealed FROM answer WHERE scope = $1 AND at > $2")
        .bind(scope.as_slice())
        .bind(now.0 - ANSWER_KEPT_MS)
        .fetch_optional(&mut *store.desk().await?)
        .await
        .map_err(undone)?;
    let answer = |row: PgRow| Ok(Answer { request: hash(&row, "request")?, sealed: bytes(&row, "sealed")? });
    row.map(answer).transpose()
}

pub async fn put_answer(
    store: &PostgresStore,
    scope: &[u8; 32],
    answer: &Answer,
    now: Timestamp,
) -> Result<(), StoreError> {
    // An older answer under this scope is over: it is replaced. Others that are over go, a few with each write.
    sqlx::query(
        "WITH old AS (DELETE FROM answer WHERE scope = ANY(ARRAY(
            SELECT scope FROM answer WHERE at <= $5 AND scope <> $1 ORDER BY at LIMIT 20 FOR UPDATE SKIP LOCKED)))
         INSERT INTO answer (scope, request, sealed, at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (scope) DO UPDATE SET request = EXCLUDED.request, sealed = EXCLUDED.sealed, at = EXCLUDED.at
         WHERE answer.at <= $5",
    )
    .bind(scope.as_slice())
    .bind(answer.request.as_slice())
    .bind(&*answer.sealed)
    .bind(now.0)
    .bind(now.0 - ANSWER_KEPT_MS)
    .execute(&mut *store.desk().await?)
    .await
    .map(|_| ())
    .commits()
}

fn key(row: &PgRow) -> Result<Key, StoreError> {
    Ok(Key {
        id: KeyId(get(row, "id")?),
        environment: get::<Option<i32>>(row, "environment")?.map(EnvironmentNo),
        name: get(row, "name")?,
        hash: hash(row, "hash")?,
        scopes: get(row, "scopes")?,
        created_at: time(row, "created_at")?,
        expires_at: time_opt(row, "expires_at")?,
        revoked: get(row, "revoked")?,
    })
}

fn hash(row: &PgRow, column: &str) -> Result<[u8; 32], StoreError> {
    let bytes: &[u8] = get(row, column)?;
    bytes.try_into().map_err(|_| StoreError::Damaged(format!("{column} is not 32 bytes long")))
}
