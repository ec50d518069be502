//! SQLite keeps the contract.

use railhead_store::suite;
use railhead_store_sqlite::{Options, SqliteStore};
use std::sync::atomic::{AtomicU32, Ordering};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_every_promise() {
    let folder = tempfile::tempdir().expect("a folder");
    let count = AtomicU32::new(0);
    suite::run_all(async || {
        let name = format!("{}.db", count.fetch_add(1, Ordering::Relaxed));
        SqliteStore::open(&folder.path().join(name), Options::default()).await.expect("a store opens")
    })
    .await;
}
