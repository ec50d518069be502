//! Tenants.

use super::Found;
use crate::connect::{PostgresStore, commit};
use crate::error::{Commits, undone};
use crate::rows::{bytes, get, json, time, to_json};
use railhead_model::{EnvironmentNo, TenantId, TenantNo};
use railhead_store::StoreError;
use railhead_store::directory::{Expect, Tenant};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection};

const SELECT: &str =
    "SELECT no, environment, id, name, metadata::text AS metadata, limits::text AS limits, wrapped_key,
    gen, revision, created_at, updated_at FROM tenant";

pub async fn by_id(
    store: &PostgresStore,
    environment: EnvironmentNo,
    id: &TenantId,
) -> Result<Option<Tenant>, StoreError> {
    let row = sqlx::query(AssertSqlSafe(format!("{SELECT} WHERE environment = $1 AND id = $2")))
        .bind(environment.0)
        .bind(id.as_str())
        .fetch_optional(&mut *store.desk().await?)
        .await
        .map_err(undone)?;
    row.as_ref().map(read).transpose()
}

pub async fn by_nos(store: &PostgresStore, nos: &[TenantNo]) -> Result<Vec<Tenant>, StoreError> {
    let rows = sqlx::query(AssertSqlSafe(format!("{SELECT} WHERE no = ANY($1::bigint[]) ORDER BY no")))
        .bind(nos.iter().map(|no| no.0).collect::<Vec<_>>())
        .fetch_all(&mut *store.desk().await?)
        .await
        .map_err(undone)?;
    rows.iter().map(read).collect()
}

pub async fn list(
    store: &PostgresStore,
    environment: EnvironmentNo,
    after: Option<&TenantId>,
    limit: u32,
) -> Result<Vec<Tenant>, StoreError> {
    let rows = sqlx::query(AssertSqlSafe(format!("{SELECT} WHERE environment = $1 AND id > $2 ORDER BY id LIMIT $3")))
        .bind(environment.0)
        .bind(after.map_or("", TenantId::as_str))
        .bind(i64::from(limit))
        .fetch_all(&mut *store.desk().await?)
        .await
        .map_err(undone)?;
    rows.iter().map(read).collect()
}

pub async fn put(store: &PostgresStore, tenant: &Tenant, expect: Expect) -> Result<Tenant, StoreError> {
    let mut transaction = store.desk_begin().await?;
    let found = insert(&mut transaction, tenant).await?;
    let revision = found.next(expect)?;
    let more = if matches!(found, Found::Made) { 0 } else { 1 };
    let row = sqlx::query(
        "UPDATE tenant SET name = $3, metadata = $4::json, limits = $5::json, revision = $6, gen = gen + $7,
            updated_at = $8
         WHERE environment = $1 AND id = $2
         RETURNING no, environment, id, name, metadata::text AS metadata, limits::text AS limits, wrapped_key, gen,
            revision, created_at, updated_at",
    )
    .bind(tenant.environment.0)
    .bind(tenant.id.as_str())
    .bind(&tenant.name)
    .bind(to_json(&tenant.metadata)?)
    .bind(to_json(&tenant.limits)?)
    .bind(revision)
    .bind(more)
    .bind(tenant.updated_at.0)
    .fetch_one(&mut *transaction)
    .await
    .map_err(undone)?;
    let stored = read(&row)?;
    commit(transaction).await?;
    Ok(stored)
}

pub async fn replace_wrapped_key(
    store: &PostgresStore,
    tenant: TenantNo,
    old: &[u8],
    new: &[u8],
) -> Result<bool, StoreError> {
    let done = sqlx::query("UPDATE tenant SET wrapped_key = $3 WHERE no = $1 AND wrapped_key = $2")
        .bind(tenant.0)
        .bind(old)
        .bind(new)
        .execute(&mut *store.desk().await?)
        .await
        .commits()?;
    Ok(done.rows_affected() == 1)
}

/// Bumps the generation and so locks the tenant until the transaction ends.
pub async fn bump(connection: &mut PgConnection, no: TenantNo) -> Result<(), StoreError> {
    let done = sqlx::query("UPDATE tenant SET gen = gen + 1 WHERE no = $1")
        .bind(no.0)
        .execute(connection)
        .await
        .map_err(undone)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::NotFound("tenant")) }
}

async fn insert(connection: &mut PgConnection, tenant: &Tenant) -> Result<Found, StoreError> {
    let made = sqlx::query(
        "INSERT INTO tenant (environment, id, metadata, limits, wrapped_key, gen, revision, created_at, updated_at)
         VALUES ($1, $2, '{}', '{}', $3, 1, 1, $4, $4) ON CONFLICT DO NOTHING",
    )
    .bind(tenant.environment.0)
    .bind(tenant.id.as_str())
    .bind(&*tenant.wrapped_key)
    .bind(tenant.created_at.0)
    .execute(&mut *connection)
    .await
    .map_err(undone)?;
    if made.rows_affected() == 1 {
        return Ok(Found::Made);
    }
    sqlx::query_scalar("SELECT revision FROM tenant WHERE environment = $1 AND id = $2 FOR UPDATE")
        .bind(tenant.environment.0)
        .bind(tenant.id.as_str())
        .fetch_one(connection)
        .await
        .map(Found::There)
        .map_err(undone)
}

fn read(row: &PgRow) -> Result<Tenant, StoreError> {
    let id: &str = get(row, "id")?;
    Ok(Tenant {
        no: TenantNo(get(row, "no")?),
        environment: EnvironmentNo(get(row, "environment")?),
        id: id.parse().map_err(|_| StoreError::Damaged("a tenant's id".to_owned()))?,
        name: get(row, "name")?,
        metadata: json(row, "metadata")?,
        limits: json(row, "limits")?,
        wrapped_key: bytes(row, "wrapped_key")?,
        generation: get(row, "gen")?,
        revision: get(row, "revision")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
    })
}
