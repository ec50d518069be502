//! The disk of Postgres is full for a while: first for its tables, then for its log as well.

use crate::day::{Day, hosts, turn};
use railhead_harness::Postgres;
use sqlx::{Connection as _, PgConnection};
use std::time::Duration;

/// Room for a server, and for little more.
const DISK: u64 = 192 << 20;
/// Events that are refused before somebody makes room.
const REFUSED: usize = 40;
/// Between looks.
const LOOK: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_is_full() {
    let turn = turn().await;
    let settings = ["max_wal_size=64MB", "min_wal_size=32MB"];
    let Some(mut postgres) = Postgres::start_on_disk(&settings, DISK).await else { return };
    let day = Day::begin(turn, hosts(&postgres, 2).await).await;
    day.acknowledged(50).await;

    let fault = day.fault("the disk is full");
    postgres.fill_disk();
    let before = day.load.again();
    while day.load.again() < before + REFUSED {
        tokio::time::sleep(LOOK).await;
    }
    postgres.free_disk();
    day.recovered(fault).await;
    let log = postgres.log();
    assert!(log.contains("No space left on device"), "the disk was not full:\n{log}");
    day.acknowledged(50).await;

    let fault = day.fault("the disk is full, and Postgres crashes of it");
    postgres.fill_disk();
    while !postgres.log().contains("PANIC") {
        use_up_the_log(&postgres).await;
        tokio::time::sleep(LOOK).await;
    }
    postgres.free_disk();
    // If it could not even recover it has ended, and its supervisor starts it again.
    postgres.recovered().await;
    day.recovered(fault).await;
    day.acknowledged(50).await;
    day.judge().await;
}

/// Goes on to the next file of the log: those that were made before the disk was full are soon used up.
async fn use_up_the_log(postgres: &Postgres) {
    let Ok(mut desk) = PgConnection::connect(&postgres.url()).await else { return };
    // The crash that this brings about cuts the connection.
    let _ = sqlx::raw_sql("SELECT pg_switch_wal()").execute(&mut desk).await;
}
