//! Migrations, partitions, connections.

use crate::fixture::{Fixture, NOON};
use crate::server;
use railhead_model::DestinationNo;
use railhead_store::{RefillAsk, StoreError, WorkStore};
use railhead_store_postgres::{PostgresOptions, PostgresStore};
use sqlx::Connection;

#[tokio::test]
async fn hosts_that_start_at_once_migrate_once() {
    let Some(url) = server::database().await else { return };
    let store = PostgresStore::connect(&url, &PostgresOptions::default()).await.expect("a connection");
    let all = || vec!["0001_first".to_owned(), "0002_batches".to_owned()];
    assert_eq!(store.pending().await, Ok(all()));
    let (a, b) = tokio::join!(store.migrate(), store.migrate());
    let mut applied = [a.expect("one"), b.expect("the other")];
    applied.sort();
    assert_eq!(applied, [vec![], all()]);
    assert_eq!(store.pending().await, Ok(vec![]));
}

#[tokio::test]
async fn a_database_of_the_first_version_is_brought_up_to_date_with_what_is_in_it() {
    let Some(url) = server::database().await else { return };
    let mut old = sqlx::PgConnection::connect(&url).await.expect("a connection");
    let rows = "CREATE TABLE railhead_migration
                (no int PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
                INSERT INTO railhead_migration (no, name) VALUES (1, 'first');
                INSERT INTO work (event, destination, run, tenant, due, origin, made_at)
                VALUES ('018bcfe5-b50f-795a-845c-407e52256862', 1, 0, 1, 5, 0, 5)";
    for script in [include_str!("../../migrations/0001_first.sql"), rows] {
        sqlx::raw_sql(script).execute(&mut old).await.expect("the first version");
    }
    let store = PostgresStore::connect(&url, &PostgresOptions::default()).await.expect("a connection");
    store.ensure_partitions(NOON).await.expect("partitions of the first version");
    assert_eq!(store.migrate().await, Ok(vec!["0002_batches".to_owned()]));
    let ask = RefillAsk { destination: DestinationNo(1), ordered: false, after: None, limit: 9 };
    let found = store.refill(&[ask]).await.expect("a refill").remove(0).rows;
    assert_eq!(found.iter().map(|row| row.bytes).collect::<Vec<_>>(), [0], "what waited waits as before");
    let leaf = "SELECT count(*) FROM information_schema.columns
                WHERE (table_name LIKE 'attempt\\_2%' OR table_name LIKE 'delivery\\_2%') AND column_name = 'owner'
                OR table_name LIKE 'transcript\\_2%' AND column_name = 'run'";
    let columns: i64 = sqlx::query_scalar(leaf).fetch_one(&mut old).await.expect("a count");
    assert_eq!(columns, 15, "the partitions that were there have the new columns");
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused() {
    let Some(fixture) = Fixture::new().await else { return };
    let mut connection = sqlx::PgConnection::connect(&fixture.url).await.expect("a connection");
    let sql = "INSERT INTO railhead_migration (no, name) VALUES (9999, 'later')";
    sqlx::raw_sql(sql).execute(&mut connection).await.expect("a row");
    assert!(matches!(fixture.store.pending().await, Err(StoreError::Conflict(_))));
    assert!(matches!(fixture.store.migrate().await, Err(StoreError::Conflict(_))));
}

#[tokio::test]
async fn partitions_are_made_ahead_once() {
    let Some(fixture) = Fixture::new().await else { return };
    let (a, b) = tokio::join!(fixture.store.ensure_partitions(NOON), fixture.store.ensure_partitions(NOON));
    assert_eq!((a, b), (Ok(()), Ok(())));
    let mut connection = sqlx::PgConnection::connect(&fixture.url).await.expect("a connection");
    let sql = "SELECT p.relname::text, count(*) FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent \
               WHERE p.relkind = 'p' GROUP BY 1 ORDER BY 1";
    let leaves: Vec<(String, i64)> = sqlx::query_as(sql).fetch_all(&mut connection).await.expect("a count");
    let expected = ["attempt", "delivery", "event", "transcript"].map(|table| (table.to_owned(), 5));
    assert_eq!(leaves, expected);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_and_its_password_is_not_told() {
    let options = PostgresOptions { acquire_ms: 200, ..PostgresOptions::default() };
    let refused =
        PostgresStore::connect("postgres://me:sesame@127.0.0.1:1/x", &options).await.err().expect("a refusal");
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
    assert!(!refused.to_string().contains("sesame"));
    let unread = PostgresStore::connect("postgres://me:sesame@[/x", &options).await.err().expect("a refusal");
    assert!(!unread.to_string().contains("sesame"));
}

#[tokio::test]
async fn too_many_connections_are_unavailable() {
    let Some(url) = server::database().await else { return };
    let options = PostgresOptions { engine_connections: 1, acquire_ms: 100, ..PostgresOptions::default() };
    let store = PostgresStore::connect(&url, &options).await.expect("a connection");
    store.migrate().await.expect("the schema");
    let mut blocker = sqlx::PgConnection::connect(&url).await.expect("a connection");
    let mut transaction = blocker.begin().await.expect("a transaction");
    sqlx::raw_sql("LOCK TABLE work").execute(&mut *transaction).await.expect("the lock");
    let asks = [railhead_model::DestinationNo(1)];
    let (slow, refused) = tokio::join!(store.survey(&asks), async {
        let refused = store.survey(&asks).await;
        transaction.rollback().await.expect("the unlock");
        refused
    });
    assert_eq!(slow, Ok(vec![]));
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
}
