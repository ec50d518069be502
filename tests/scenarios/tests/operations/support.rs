//! What a database holds, and waiting for what hosts say.

use railhead_harness::{Client, Postgres, Received, Sink};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use std::time::Duration;

/// The longest that anything here is waited for.
pub const LONG: Duration = Duration::from_secs(120);

pub async fn connect(postgres: &Postgres) -> PgConnection {
    PgConnection::connect(&postgres.url()).await.expect("a connection")
}

pub async fn run(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

pub async fn number(connection: &mut PgConnection, sql: &str) -> i64 {
    let found = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(connection).await;
    found.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Asks until the answer is one of those that are waited for.
pub async fn until(client: &Client, path: &str, wanted: impl Fn(u16, &Value) -> bool) -> Value {
    let asked = async {
        loop {
            let (status, body) = client.get(path).await;
            if wanted(status, &body) {
                return body;
            }
            tokio::time::sleep(Duration::from_millis(25)).await; // nothing tells when it changes
        }
    };
    tokio::time::timeout(LONG, asked).await.unwrap_or_else(|_| panic!("{path} never came to what was wanted"))
}

pub fn event(tenant: &str, id: &str) -> Value {
    json!({"tenant": tenant, "type": "order.created", "id": id, "data": {"text": "x".repeat(500)}})
}

/// A destination of `acme` whose calls may take as long as they like.
pub async fn make_destination(client: &Client, id: &str, url: &str) {
    let body = json!({"connector": "webhook", "config": {"url": url}, "timeout_ms": 120_000});
    client.make_destination("acme", id, &body).await;
}

/// Whether a request with this id was answered well.
pub fn came(received: &[Received], id: &str) -> bool {
    received.iter().any(|one| one.status == 204 && one.headers.get("webhook-id").is_some_and(|own| own == id))
}

/// True once all of these came.
pub async fn all_came(sink: &Sink, ids: &[String]) -> bool {
    sink.wait(LONG, |received| ids.iter().all(|id| came(received, id))).await
}
