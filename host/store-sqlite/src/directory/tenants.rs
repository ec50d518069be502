//! Tenants.

use crate::codec::{Cells, json, list};
use crate::error::{Res, damaged};
use railhead_model::{EnvironmentNo, TenantId, TenantNo};
use railhead_store::StoreError;
use railhead_store::directory::{Expect, Tenant};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use std::sync::LazyLock;

const COLUMNS: &str = "no, environment, id, name, metadata, limits, wrapped_key, generation, revision, created_at,
                       updated_at";

/// What a deleted tenant takes along at once; history, unreadable without its key, goes with the retention.
const DELETES: [&str; 8] = [
    "DELETE FROM work WHERE destination IN (SELECT no FROM destination WHERE tenant = ?1)",
    "DELETE FROM fanout WHERE tenant = ?1",
    "DELETE FROM replay WHERE tenant = ?1",
    "DELETE FROM batch WHERE destination IN (SELECT no FROM destination WHERE tenant = ?1)",
    "DELETE FROM ordered WHERE destination IN (SELECT no FROM destination WHERE tenant = ?1)",
    "DELETE FROM credential WHERE destination IN (SELECT no FROM destination WHERE tenant = ?1)",
    "DELETE FROM destination WHERE tenant = ?1",
    "DELETE FROM tenant WHERE no = ?1",
];

/// Takes the next number of a kind. Numbers are never given twice.
pub(super) async fn next_number(connection: &mut SqliteConnection, name: &'static str) -> Res<i64> {
    let sql = "UPDATE counter SET value = value + 1 WHERE name = ? RETURNING value";
    Ok(sqlx::query_scalar(sql).bind(name).fetch_one(connection).await?)
}

/// Bumps the generation of a tenant whose configuration changed.
pub(super) async fn bump(connection: &mut SqliteConnection, no: TenantNo) -> Res<()> {
    let query = sqlx::query("UPDATE tenant SET generation = generation + 1 WHERE no = ?").bind(no.0);
    match query.execute(connection).await?.rows_affected() {
        0 => Err(StoreError::NotFound("tenant").into()),
        _ => Ok(()),
    }
}

pub(super) async fn by_id(
    connection: &mut SqliteConnection,
    environment: EnvironmentNo,
    id: TenantId,
) -> Res<Option<Tenant>> {
    static SQL: LazyLock<String> =
        LazyLock::new(|| format!("SELECT {COLUMNS} FROM tenant WHERE environment = ? AND id = ?"));
    let query = sqlx::query(SQL.as_str()).bind(environment.0).bind(id.as_str());
    let found = query.fetch_optional(connection).await?;
    found.map(|row| tenant(&row)).transpose()
}

pub(super) async fn by_nos(connection: &mut SqliteConnection, nos: Vec<TenantNo>) -> Res<Vec<Tenant>> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        format!("SELECT {COLUMNS} FROM tenant WHERE no IN (SELECT value FROM json_each(?)) ORDER BY no")
    });
    let asked = list(nos.iter().map(|no| no.0));
    sqlx::query(SQL.as_str()).bind(asked).fetch_all(connection).await?.iter().map(tenant).collect()
}

pub(super) async fn page(
    connection: &mut SqliteConnection,
    environment: EnvironmentNo,
    after: String,
    limit: u32,
) -> Res<Vec<Tenant>> {
    static SQL: LazyLock<String> =
        LazyLock::new(|| format!("SELECT {COLUMNS} FROM tenant WHERE environment = ? AND id > ? ORDER BY id LIMIT ?"));
    let query = sqlx::query(SQL.as_str()).bind(environment.0).bind(after).bind(i64::from(limit));
    query.fetch_all(connection).await?.iter().map(tenant).collect()
}

pub(super) async fn put(connection: &mut SqliteConnection, tenant: Tenant, expect: Expect) -> Res<Tenant> {
    let found = by_id(connection, tenant.environment, tenant.id.clone()).await?;
    let revision = expect.next(found.as_ref().map(|found| found.revision))?;
    let mut stored = Tenant { revision, ..tenant };
    match found {
        Some(found) => {
            stored.no = found.no;
            stored.generation = found.generation + 1;
            stored.created_at = found.created_at;
            stored.wrapped_key = found.wrapped_key;
        }
        None => {
            stored.no = TenantNo(next_number(connection, "tenant").await?);
            stored.generation = 1;
        }
    }
    static SQL: LazyLock<String> =
        LazyLock::new(|| format!("INSERT OR REPLACE INTO tenant ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    let query = sqlx::query(SQL.as_str()).bind(stored.no.0).bind(stored.environment.0).bind(stored.id.as_str());
    let query = query.bind(stored.name.as_deref()).bind(json(&stored.metadata)?).bind(json(&stored.limits)?);
    let query = query.bind(&stored.wrapped_key[..]).bind(stored.generation).bind(stored.revision);
    query.bind(stored.created_at.0).bind(stored.updated_at.0).execute(connection).await?;
    Ok(stored)
}

pub(super) async fn replace_key(
    connection: &mut SqliteConnection,
    tenant: TenantNo,
    old: Vec<u8>,
    new: Vec<u8>,
) -> Res<bool> {
    let query = sqlx::query("UPDATE tenant SET wrapped_key = ? WHERE no = ? AND wrapped_key = ?");
    Ok(query.bind(new).bind(tenant.0).bind(old).execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn delete(connection: &mut SqliteConnection, no: TenantNo) -> Res<bool> {
    let mut deleted = 0;
    for sql in DELETES {
        deleted = sqlx::query(sql).bind(no.0).execute(&mut *connection).await?.rows_affected();
    }
    Ok(deleted == 1) // the last of them is the tenant itself
}

fn tenant(row: &SqliteRow) -> Res<Tenant> {
    let mut cells = Cells::new(row);
    Ok(Tenant {
        no: cells.tenant()?,
        environment: EnvironmentNo(cells.get()?),
        id: cells.text()?.parse().map_err(|_| damaged("a tenant id"))?,
        name: cells.get()?,
        metadata: cells.json()?,
        limits: cells.json()?,
        wrapped_key: cells.bytes()?,
        generation: cells.int()?,
        revision: cells.int()?,
        created_at: cells.time()?,
        updated_at: cells.time()?,
    })
}
