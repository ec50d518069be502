//! What a test asks of the database beside the hosts, and does to it.

use railhead_harness::Cluster;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use std::time::Duration;

/// A connection that a host has nothing to do with.
pub async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("a connection")
}

/// Runs statements.
pub async fn run(connection: &mut PgConnection, sql: &str) {
    let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await;
    done.unwrap_or_else(|error| panic!("{error}: {sql}"));
}

/// One number.
pub async fn number(connection: &mut PgConnection, sql: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(connection).await.expect("a number")
}

/// Waits until a number is what it should be.
pub async fn until(connection: &mut PgConnection, sql: &str, enough: impl Fn(i64) -> bool) {
    for _ in 0..1_200 {
        if enough(number(connection, sql).await) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("not in two minutes: {sql}");
}

/// Of the hosts that ever joined.
const FENCED: &str = "SELECT count(*) FROM host WHERE fenced";

/// Waits until one more host is fenced than `before` were.
pub async fn fenced_since(connection: &mut PgConnection, before: i64) {
    until(connection, FENCED, |now| now > before).await;
}

/// How many hosts are fenced.
pub async fn fenced(connection: &mut PgConnection) -> i64 {
    number(connection, FENCED).await
}

/// How many hosts share all shards evenly; 0 while they do not.
const SHARING: &str = "
SELECT CASE WHEN sum(n) = 256 AND max(n) - min(n) <= 1 THEN count(*) ELSE 0 END
FROM (SELECT count(*) AS n FROM shard WHERE owner IS NOT NULL GROUP BY owner) AS shares";

/// Waits until so many hosts share all shards evenly.
pub async fn shared(connection: &mut PgConnection, hosts: i64) {
    until(connection, SHARING, |now| now == hosts).await;
}

/// Which host of the cluster a destination is delivered by.
pub async fn owner(connection: &mut PgConnection, cluster: &Cluster, destination: &str) -> usize {
    let sql = "SELECT 'hst_' || replace(s.owner::text, '-', '')
        FROM destination d JOIN shard s ON s.no = d.shard WHERE d.id = $1";
    let id: String = sqlx::query_scalar(sql).bind(destination).fetch_one(connection).await.expect("an owner");
    (0..cluster.size()).find(|host| cluster.log(*host).contains(&id)).expect("a host says who it is")
}
