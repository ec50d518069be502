//! Somebody else takes every connection that the server gives.

use crate::database::{connect, number, run};
use crate::day::{Day, hosts, turn};
use railhead_harness::Postgres;
use sqlx::{Connection as _, PgConnection};
use std::time::{Duration, Instant};

/// Longer than a lease.
const HELD: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
async fn no_connection_is_left() {
    let turn = turn().await;
    let Some(postgres) = Postgres::start(&["max_connections=60"]).await else { return };
    let day = Day::begin(turn, hosts(&postgres, 2).await).await;
    day.acknowledged(50).await;

    let fault = day.fault("no connection is left");
    let mut neighbour = connect(&postgres.url()).await;
    let mut taken = Vec::new();
    let begin = Instant::now();
    let mut none = false;
    while begin.elapsed() < HELD || !none {
        // What the hosts have is taken from them, and what they would have again is gone.
        run(
            &mut neighbour,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'railhead%'",
        )
        .await;
        while let Ok(one) = PgConnection::connect(&postgres.url()).await {
            taken.push(one);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let theirs = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'railhead%'";
        none |= number(&mut neighbour, theirs).await == 0;
    }
    assert!(day.load.again() > 0, "events were acknowledged without a database");
    drop(taken);
    day.recovered(fault).await;
    day.acknowledged(50).await;
    day.judge().await;
}
