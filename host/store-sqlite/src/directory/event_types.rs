//! Event types, and stored answers.

use crate::codec::{Cells, json};
use crate::error::Res;
use railhead_model::{EnvironmentNo, Timestamp};
use railhead_store::directory::{ANSWER_KEPT_MS, Answer, EventType, Expect};
use serde_json::Value;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

/// Stored answers that one new one clears away at most.
const CLEARED: i64 = 100;

pub(super) async fn one(
    connection: &mut SqliteConnection,
    environment: EnvironmentNo,
    name: String,
) -> Res<Option<EventType>> {
    let sql = "SELECT name, body, revision, updated_at FROM event_type WHERE environment = ? AND name = ?";
    let found = sqlx::query(sql).bind(environment.0).bind(name).fetch_optional(connection).await?;
    found.map(|row| event_type(&row)).transpose()
}

pub(super) async fn page(
    connection: &mut SqliteConnection,
    environment: EnvironmentNo,
    after: String,
    limit: u32,
) -> Res<Vec<EventType>> {
    let sql = "SELECT name, body, revision, updated_at FROM event_type
               WHERE environment = ? AND name > ? ORDER BY name LIMIT ?";
    let query = sqlx::query(sql).bind(environment.0).bind(after).bind(i64::from(limit));
    query.fetch_all(connection).await?.iter().map(event_type).collect()
}

pub(super) async fn put(
    connection: &mut SqliteConnection,
    environment: EnvironmentNo,
    name: String,
    body: Value,
    now: Timestamp,
    expect: Expect,
) -> Res<EventType> {
    let found = one(connection, environment, name.clone()).await?;
    let revision = expect.next(found.map(|found| found.revision))?;
    let sql = "INSERT OR REPLACE INTO event_type (environment, name, body, revision, updated_at)
               VALUES (?, ?, ?, ?, ?)";
    let query = sqlx::query(sql).bind(environment.0).bind(name.as_str()).bind(json(&body)?).bind(revision);
    query.bind(now.0).execute(connection).await?;
    Ok(EventType { name, body, revision, updated_at: now })
}

pub(super) async fn delete(connection: &mut SqliteConnection, environment: EnvironmentNo, name: String) -> Res<bool> {
    let query = sqlx::query("DELETE FROM event_type WHERE environment = ? AND name = ?");
    Ok(query.bind(environment.0).bind(name).execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn answer(connection: &mut SqliteConnection, scope: [u8; 32], now: Timestamp) -> Res<Option<Answer>> {
    let query = sqlx::query("SELECT request, sealed FROM answer WHERE scope = ? AND at > ?").bind(scope.as_slice());
    let found = query.bind(now.plus_ms(-ANSWER_KEPT_MS).0).fetch_optional(connection).await?;
    let answer = |row: SqliteRow| {
        let mut cells = Cells::new(&row);
        Ok(Answer { request: cells.array()?, sealed: cells.bytes()? })
    };
    found.map(answer).transpose()
}

pub(super) async fn put_answer(
    connection: &mut SqliteConnection,
    scope: [u8; 32],
    answer: Answer,
    now: Timestamp,
) -> Res<()> {
    let oldest = now.plus_ms(-ANSWER_KEPT_MS).0;
    let clear = "DELETE FROM answer WHERE scope = ?1 AND at <= ?2";
    sqlx::query(clear).bind(scope.as_slice()).bind(oldest).execute(&mut *connection).await?;
    let clear = "DELETE FROM answer WHERE scope IN (SELECT scope FROM answer WHERE at <= ? ORDER BY at LIMIT ?)";
    sqlx::query(clear).bind(oldest).bind(CLEARED).execute(&mut *connection).await?;
    let sql = "INSERT OR IGNORE INTO answer (scope, at, request, sealed) VALUES (?, ?, ?, ?)";
    let query = sqlx::query(sql).bind(scope.as_slice()).bind(now.0).bind(answer.request.as_slice());
    query.bind(&answer.sealed[..]).execute(connection).await?;
    Ok(())
}

fn event_type(row: &SqliteRow) -> Res<EventType> {
    let mut cells = Cells::new(row);
    Ok(EventType { name: cells.text()?, body: cells.json()?, revision: cells.int()?, updated_at: cells.time()? })
}
