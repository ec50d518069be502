//! The contract that every store must pass.

use crate::server;
use railhead_model::time::DAY_MS;
use railhead_store::suite::{START, run_all};
use railhead_store_postgres::{PostgresOptions, PostgresStore};

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_of_every_store() {
    if server::database().await.is_some() {
        run_all(fresh).await;
    }
}

async fn fresh() -> PostgresStore {
    let url = server::database().await.expect("a server");
    // A busy machine may need long for a new connection; nothing here is about that.
    let patient = PostgresOptions { acquire_ms: 60_000, ..PostgresOptions::default() };
    let store = PostgresStore::connect(&url, &patient).await.expect("a connection");
    store.migrate().await.expect("the schema");
    store.ensure_partitions(START.plus_ms(-DAY_MS)).await.expect("partitions");
    store
}
