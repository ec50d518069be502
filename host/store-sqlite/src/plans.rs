//! Every hot statement is answered by index probes, whatever the tables hold.
//!
//! No statistics are ever gathered (no ANALYZE), so a plan depends on the schema alone, and is checked on an empty file.

use crate::directory::destinations;
use crate::history::{lists, rows};
use crate::{Options, SqliteStore, accept, jobs, record, work};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _};

/// Tables that grow with traffic.
const GROWING: [&str; 5] = ["event", "work", "delivery", "attempt", "transcript"];

#[tokio::test]
async fn hot_statements_probe_indexes() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.db");
    SqliteStore::open(&path, Options::default()).await.expect("a store").close().await;
    let options = SqliteConnectOptions::new().filename(&path);
    let mut connection = SqliteConnection::connect_with(&options).await.expect("a connection");
    let statements = [
        accept::statements(),
        record::statements(),
        work::statements(),
        lists::statements(),
        vec![rows::SHARED],
        jobs::statements(),
        destinations::statements(),
    ];
    for sql in statements.concat() {
        for step in plan(&mut connection, sql).await {
            let scans = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
            let table = scans.map(|name| table_of(sql, name)).filter(|table| GROWING.contains(table));
            assert_eq!(table, None, "a growing table is walked whole by {sql}\n{step}");
            // Sorting the last terms alone is sorting within one event.
            let sorts = step.contains("TEMP B-TREE") && !step.contains("LAST");
            assert!(!sorts, "all rows are sorted by {sql}\n{step}");
        }
    }
}

async fn plan(connection: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain).fetch_all(connection).await.expect("a plan");
    steps.into_iter().map(|step| step.3).collect()
}

/// Aliases that our statements use.
fn table_of<'a>(sql: &str, name: &'a str) -> &'a str {
    match name {
        "e" if sql.contains("event e") => "event",
        "w" => "work",
        "d" if sql.contains("delivery d") => "delivery",
        "l" => "delivery",
        "a" if sql.contains("attempt a") => "attempt",
        "x" => "attempt",
        other => other,
    }
}
