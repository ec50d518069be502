//! Connections.

use crate::server;
use railhead_store::{StoreError, WorkStore};
use railhead_store_postgres::{PostgresOptions, PostgresStore};
use sqlx::Connection;

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
