//! The model store keeps the contract, as a server and as an embedded database.

use railhead_store::model::ModelStore;
use railhead_store::suite;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_model_keeps_every_promise() {
    suite::run_all(async || ModelStore::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_model_keeps_every_promise() {
    suite::run_all(async || ModelStore::embedded()).await;
}
