//! `kill -9` of hosts and of Postgres in turn, and an orderly restart of Postgres.

use crate::day::{Day, hosts, turn};
use railhead_harness::Postgres;

#[tokio::test(flavor = "multi_thread")]
async fn hosts_and_postgres_are_killed_in_turn() {
    let turn = turn().await;
    let Some(mut postgres) = Postgres::start(&[]).await else { return };
    let day = Day::begin(turn, hosts(&postgres, 3).await).await;
    for host in 0..2 {
        day.acknowledged(50).await;
        let fault = day.fault("a host is killed");
        day.cluster.kill(host);
        day.acknowledged(50).await;
        day.recovered(fault).await;

        day.acknowledged(50).await;
        let fault = day.fault("Postgres is killed");
        postgres.kill();
        postgres.resume().await;
        day.recovered(fault).await;
    }
    day.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_restarted() {
    let turn = turn().await;
    let Some(mut postgres) = Postgres::start(&[]).await else { return };
    let day = Day::begin(turn, hosts(&postgres, 2).await).await;
    for _ in 0..2 {
        day.acknowledged(50).await;
        let fault = day.fault("Postgres is restarted");
        postgres.stop();
        postgres.resume().await;
        day.acknowledged(50).await;
        day.recovered(fault).await;
    }
    for host in 0..2 {
        assert_eq!(day.cluster.ends(host), [], "a restart of Postgres ends no host:\n{}", day.cluster.log(host));
    }
    day.judge().await;
}
