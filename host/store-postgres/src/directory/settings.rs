//! Environments and event types.

use super::Found;
use crate::connect::{PostgresStore, commit};
use crate::error::{Commits, undone};
use crate::rows::{get, json, time, to_json};
use railhead_model::{EnvironmentNo, Timestamp};
use railhead_store::StoreError;
use railhead_store::directory::{Environment, EventType, Expect};
use serde_json::Value;
use sqlx::postgres::PgRow;

pub async fn environments(store: &PostgresStore) -> Result<Vec<Environment>, StoreError> {
    let rows = sqlx::query("SELECT no, name, settings::text AS settings, revision FROM environment ORDER BY no")
        .fetch_all(&mut *store.desk().await?)
        .await
        .map_err(undone)?;
    let environment = |row| {
        Ok(Environment {
            no: EnvironmentNo(get(row, "no")?),
            name: get(row, "name")?,
            settings: json(row, "settings")?,
            revision: get(row, "revision")?,
        })
    };
    rows.iter().map(environment).collect()
}

pub async fn put_environment(
    store: &PostgresStore,
    name: &str,
    settings: &Value,
    expect: Expect,
) -> Result<Environment, StoreError> {
    let mut transaction = store.desk_begin().await?;
    let made = sqlx::query(
        "INSERT INTO environment (name, settings, revision) VALUES ($1, $2::json, 1) ON CONFLICT DO NOTHING RETURNING no",
    )
    .bind(name)
    .bind(to_json(settings)?)
    .fetch_optional(&mut *transaction)
    .await
    .map_err(undone)?;
    let found = match made {
        Some(_) => Found::Made,
        None => {
            let revision = sqlx::query_scalar("SELECT revision FROM environment WHERE name = $1 FOR UPDATE")
                .bind(name)
                .fetch_one(&mut *transaction)
                .await
                .map_err(undone)?;
            Found::There(revision)
        }
    };
    let revision = found.next(expect)?;
    let no: i32 =
        sqlx::query_scalar("UPDATE environment SET settings = $2::json, revision = $3 WHERE name = $1 RETURNING no")
            .bind(name)
            .bind(to_json(settings)?)
            .bind(revision)
            .fetch_one(&mut *transaction)
            .await
            .map_err(undone)?;
    // Its defaults and limits count for all of its tenants. In the order of their numbers, as every lock of many.
    sqlx::query(
        "WITH t AS MATERIALIZED (SELECT no FROM tenant WHERE environment = $1 ORDER BY no FOR UPDATE)
         UPDATE tenant SET gen = gen + 1 WHERE no IN (SELECT no FROM t)",
    )
    .bind(no)
    .execute(&mut *transaction)
    .await
    .map_err(undone)?;
    commit(transaction).await?;
    Ok(Environment { no: EnvironmentNo(no), name: name.to_owned(), settings: settings.clone(), revision })
}

const EVENT_TYPE: &str =
    "SELECT name, body::text AS body, revision, updated_at FROM event_type WHERE environment = $1 ";

pub async fn event_type(
    store: &PostgresStore,
    environment: EnvironmentNo,
    name: &str,
) -> Result<Option<EventType>, StoreError> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{EVENT_TYPE} AND name = $2")))
        .bind(environment.0)
        .bind(name)
        .fetch_optional(&mut *store.desk().await?)
        .await
        .map_err(undone)?;
    row.as_ref().map(read).transpose()
}

pub async fn event_types(
    store: &PostgresStore,
    environment: EnvironmentNo,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<EventType>, StoreError> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{EVENT_TYPE} AND name > $2 ORDER BY name LIMIT $3")))
        .bind(environment.0)
        .bind(after.unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(&mut *store.desk().await?)
        .await
        .map_err(undone)?;
    rows.iter().map(read).collect()
}

pub async fn put_event_type(
    store: &PostgresStore,
    environment: EnvironmentNo,
    name: &str,
    body: &Value,
    now: Timestamp,
    expect: Expect,
) -> Result<EventType, StoreError> {
    let mut transaction = store.desk_begin().await?;
    let made = sqlx::query(
        "INSERT INTO event_type (environment, name, body, revision, updated_at) VALUES ($1, $2, $3::json, 1, $4)
         ON CONFLICT DO NOTHING",
    )
    .bind(environment.0)
    .bind(name)
    .bind(to_json(body)?)
    .bind(now.0)
    .execute(&mut *transaction)
    .await
    .map_err(undone)?;
    let found = if made.rows_affected() == 1 {
        Found::Made
    } else {
        let sql = "SELECT revision FROM event_type WHERE environment = $1 AND name = $2 FOR UPDATE";
        let row = sqlx::query_scalar(sql).bind(environment.0).bind(name).fetch_one(&mut *transaction).await;
        Found::There(row.map_err(undone)?)
    };
    let revision = found.next(expect)?;
    sqlx::query(
        "UPDATE event_type SET body = $3::json, revision = $4, updated_at = $5 WHERE environment = $1 AND name = $2",
    )
    .bind(environment.0)
    .bind(name)
    .bind(to_json(body)?)
    .bind(revision)
    .bind(now.0)
    .execute(&mut *transaction)
    .await
    .map_err(undone)?;
    commit(transaction).await?;
    Ok(EventType { name: name.to_owned(), body: body.clone(), revision, updated_at: now })
}

pub async fn delete_event_type(
    store: &PostgresStore,
    environment: EnvironmentNo,
    name: &str,
) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM event_type WHERE environment = $1 AND name = $2")
        .bind(environment.0)
        .bind(name)
        .execute(&mut *store.desk().await?)
        .await
        .commits()?;
    Ok(done.rows_affected() == 1)
}

fn read(row: &PgRow) -> Result<EventType, StoreError> {
    Ok(EventType {
        name: get(row, "name")?,
        body: json(row, "body")?,
        revision: get(row, "revision")?,
        updated_at: time(row, "updated_at")?,
    })
}
